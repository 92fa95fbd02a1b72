package serve

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"
)

// textColumns are the names that a column of texts may have, in order of
// preference. The signature of every model says text.
var textColumns = []string{"text", "review"}

// decodeForm returns the field text of a form that a browser sent.
func decodeForm(body []byte, mediaType string, params map[string]string) (string, error) {
	switch mediaType {
	case "application/x-www-form-urlencoded":
		if text, ok := onlyField(body); ok {
			return text, nil
		}
		values, err := url.ParseQuery(string(body))
		if err != nil {
			return "", bad("the form is malformed: %v", err)
		}
		if !values.Has("text") {
			return "", bad("the form has no field text")
		}
		return strings.ToValidUTF8(values.Get("text"), "\uFFFD"), nil
	case "multipart/form-data":
		r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
		for {
			part, err := r.NextRawPart()
			if errors.Is(err, io.EOF) {
				return "", bad("the form has no field text")
			}
			if err != nil {
				return "", bad("the form is malformed: %v", err)
			}
			if part.FormName() != "text" {
				continue
			}
			text, err := io.ReadAll(part) // no larger than the body
			if err != nil {
				return "", bad("the form is malformed: %v", err)
			}
			return strings.ToValidUTF8(string(text), "\uFFFD"), nil
		}
	}
	return "", unsupported(mediaType, "application/x-www-form-urlencoded, multipart/form-data or application/json")
}

// apiRequest is the body of /api/v1: a text, or texts.
type apiRequest struct {
	Text  *string   `json:"text"`
	Texts *[]string `json:"texts"`
	// Explain is the number of terms to explain a prediction by.
	Explain int `json:"explain"`
}

// decodeAPI returns the texts of a request, and whether it is a single one.
func decodeAPI(body []byte) (r apiRequest, texts []string, err error) {
	if text, ok := onlyText(body); ok {
		return apiRequest{Text: &text}, []string{text}, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, nil, badJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return r, nil, bad("there is something after the JSON object")
	}
	switch {
	case (r.Text == nil) == (r.Texts == nil):
		return r, nil, bad(`want {"text": "…"} or {"texts": ["…", …]}`)
	case r.Explain < 0:
		return r, nil, bad("explain: want 0 or more")
	case r.Text != nil:
		return r, []string{*r.Text}, nil
	}
	return r, *r.Texts, nil
}

func badJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return bad("the body is not JSON: it ends early")
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return schema("%s: want %s, not %s", wrong.Field, wrong.Type, wrong.Value)
	}
	return bad("the body is not as it should be: %s", strings.TrimPrefix(err.Error(), "json: "))
}

// decodeInvocations returns the texts of a JSON body of MLflow's: an object with
// exactly one of dataframe_split, dataframe_records, instances and inputs.
func decodeInvocations(body []byte) ([]string, error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(body, &top); err != nil {
		return nil, badJSON(err)
	}
	const one = "want an object with exactly one of dataframe_split, dataframe_records, instances and inputs"
	var key string
	for k, v := range top {
		switch k {
		case "dataframe_split", "dataframe_records", "instances", "inputs":
			if key != "" {
				return nil, bad("%s; there are %s and %s", one, min(k, key), max(k, key))
			}
			key = k
		case "params":
			var params map[string]json.RawMessage
			if err := json.Unmarshal(v, &params); err != nil {
				return nil, schema("params: want an object")
			}
		}
	}
	if key == "" {
		return nil, bad("%s", one)
	}
	if key == "dataframe_split" {
		return splitTexts(top[key])
	}
	return inputTexts(key, top[key])
}

// splitTexts reads {"columns": […], "data": [[…], …]}.
func splitTexts(data json.RawMessage) ([]string, error) {
	var f struct {
		Columns []string          `json:"columns"`
		Index   json.RawMessage   `json:"index"`
		Data    []json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, badJSON(err)
	}
	column, width := 0, 1
	if f.Columns != nil {
		var err error
		if column, err = findColumn(f.Columns); err != nil {
			return nil, err
		}
		width = len(f.Columns)
	}
	texts := make([]string, len(f.Data))
	for i, raw := range f.Data {
		var row []json.RawMessage
		if err := json.Unmarshal(raw, &row); err != nil {
			return nil, schema("dataframe_split: row %d is not a list", i)
		}
		if len(row) != width {
			return nil, schema("dataframe_split: row %d has %d values for %d columns", i, len(row), width)
		}
		if err := unmarshalText(row[column], &texts[i]); err != nil {
			return nil, schema("dataframe_split: row %d: %v", i, err)
		}
	}
	return texts, nil
}

func findColumn(names []string) (int, error) {
	for _, want := range textColumns {
		if i := slices.Index(names, want); i >= 0 {
			return i, nil
		}
	}
	return 0, schema("no column text")
}

// inputTexts reads a text; a list of texts, of objects with a text, or of lists
// with one; or an object whose column is one of these.
func inputTexts(key string, data json.RawMessage) ([]string, error) {
	switch first(data) {
	case '"':
		texts := make([]string, 1)
		return texts, unmarshalText(data, &texts[0])
	case '{':
		var columns map[string]json.RawMessage
		if err := json.Unmarshal(data, &columns); err != nil {
			return nil, badJSON(err)
		}
		if key == "dataframe_records" {
			return nil, schema("dataframe_records: want a list of objects")
		}
		for _, name := range textColumns {
			if v, ok := columns[name]; ok && first(v) != '{' {
				return inputTexts(key, v)
			}
		}
		return nil, schema("%s: no column text", key)
	case '[':
	default:
		return nil, schema("%s: want texts", key)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, badJSON(err)
	}
	texts := make([]string, len(list))
	for i, raw := range list {
		if err := elementText(key, raw, &texts[i]); err != nil {
			return nil, schema("%s: element %d: %v", key, i, err)
		}
	}
	return texts, nil
}

func elementText(key string, raw json.RawMessage, text *string) error {
	switch c := first(raw); {
	case c == '{':
		var object map[string]json.RawMessage
		if err := json.Unmarshal(raw, &object); err != nil {
			return err
		}
		for _, name := range textColumns {
			if v, ok := object[name]; ok {
				return unmarshalText(v, text)
			}
		}
		return errors.New("no column text")
	case key == "dataframe_records":
		return errors.New("want an object")
	case c == '[':
		var one []json.RawMessage
		if err := json.Unmarshal(raw, &one); err != nil {
			return err
		}
		if len(one) != 1 {
			return errors.New("want one text")
		}
		return unmarshalText(one[0], text)
	}
	return unmarshalText(raw, text)
}

var errNotText = errors.New("want a text")

func unmarshalText(raw json.RawMessage, text *string) error {
	if first(raw) != '"' {
		return schema("%v", errNotText)
	}
	if t, rest, ok := readString(skipSpace(raw)); ok && len(skipSpace(rest)) == 0 {
		*text = t
		return nil
	}
	return json.Unmarshal(raw, text)
}

// first returns the first byte of a JSON value, 0 for none.
func first(raw json.RawMessage) byte {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 {
		return 0
	}
	return raw[0]
}

// decodeCSV returns the column of texts of a table with a header.
func decodeCSV(body []byte, most int) ([]string, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\uFEFF"))))
	r.ReuseRecord = true
	names, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, bad("the table is empty: its first line names the columns")
	}
	if err != nil {
		return nil, bad("the table is malformed: %v", err)
	}
	column, err := findColumn(names)
	if err != nil {
		return nil, err
	}
	texts := []string{}
	for len(texts) <= most { // one more than may be: the limit is checked later
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, bad("the table is malformed: %v", err)
		}
		texts = append(texts, strings.ToValidUTF8(record[column], "\uFFFD"))
	}
	return texts, nil
}

// inferRequest is a request of the Open Inference Protocol.
type inferRequest struct {
	ID         string          `json:"id"`
	Parameters json.RawMessage `json:"parameters"`
	Inputs     []inferTensor   `json:"inputs"`
	Outputs    []struct {
		Name string `json:"name"`
	} `json:"outputs"`
}

type inferTensor struct {
	Name       string  `json:"name"`
	Shape      []int64 `json:"shape"`
	Datatype   string  `json:"datatype"`
	Parameters struct {
		ContentType string `json:"content_type"`
		BinarySize  *int64 `json:"binary_data_size"`
	} `json:"parameters"`
	Data json.RawMessage `json:"data"`
}

// decodeInfer returns a request and its texts: the tensor text, or the only
// one, of BYTES and of the shape [N] or [N,1].
func decodeInfer(body []byte) (r inferRequest, t *inferTensor, texts []string, err error) {
	if err := json.Unmarshal(body, &r); err != nil {
		return r, nil, nil, badJSON(err)
	}
	for i := range r.Inputs {
		if slices.Contains(textColumns, r.Inputs[i].Name) || len(r.Inputs) == 1 {
			t = &r.Inputs[i]
			break
		}
	}
	switch {
	case len(r.Inputs) == 0:
		return r, nil, nil, bad("no inputs")
	case t == nil:
		return r, nil, nil, bad("no input text")
	case t.Parameters.BinarySize != nil:
		return r, nil, nil, bad("input %s: binary data is not supported; send JSON", t.Name)
	case t.Datatype != "BYTES":
		return r, nil, nil, bad("input %s: datatype %q, want BYTES", t.Name, t.Datatype)
	case len(t.Shape) != 1 && (len(t.Shape) != 2 || t.Shape[1] != 1) || t.Shape[0] < 0:
		return r, nil, nil, bad("input %s: shape %v, want [N] or [N,1]", t.Name, t.Shape)
	case first(t.Data) != '[':
		return r, nil, nil, bad("input %s: data: want a list", t.Name)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(t.Data, &list); err != nil {
		return r, nil, nil, badJSON(err)
	}
	if int64(len(list)) != t.Shape[0] {
		return r, nil, nil, bad("input %s: %d texts for the shape %v", t.Name, len(list), t.Shape)
	}
	texts = make([]string, len(list))
	for i, raw := range list {
		if first(raw) == '{' {
			return r, nil, nil, bad("input %s: element %d: %v", t.Name, i, errNotText)
		}
		if err := elementText("data", raw, &texts[i]); err != nil {
			return r, nil, nil, bad("input %s: element %d: %v", t.Name, i, err)
		}
	}
	if t.Parameters.ContentType == "base64" {
		for i := range texts {
			data, err := base64.StdEncoding.DecodeString(texts[i])
			if err != nil {
				return r, nil, nil, bad("input %s: element %d: %v", t.Name, i, err)
			}
			texts[i] = strings.ToValidUTF8(string(data), "\uFFFD")
		}
	}
	for _, o := range r.Outputs {
		if !slices.Contains(outputNames, o.Name) {
			return r, nil, nil, bad("no output %s; there are %s", o.Name, strings.Join(outputNames, ", "))
		}
	}
	return r, t, texts, nil
}

// outputNames are the tensors of an answer.
var outputNames = []string{"label", "probability", "class"}
