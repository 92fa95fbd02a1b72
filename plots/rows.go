package plots

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// Row is a row of data: a value for each field, in the order of the file.
type Row = *yaml12.Map

// IsImage reports whether a file is an image by its suffix.
func IsImage(name string) bool { return MediaType(name) != "" }

// MediaType returns the type of an image, "" for other files.
func MediaType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".gif":
		return "image/gif"
	case ".svg":
		return "image/svg+xml"
	}
	return ""
}

// Parse reads the rows of a data file. The fields of CSV and TSV are texts;
// without header they are called 0, 1, …. For the other formats decode gives the
// content, in which lists of maps with the same keys are rows; several lists
// are joined side by side.
func Parse(name string, data []byte, header bool, decode func(name string, data []byte) (any, error)) ([]Row, error) {
	switch strings.ToLower(path.Ext(name)) {
	case ".csv":
		return parseCSV(name, data, ',', header)
	case ".tsv":
		return parseCSV(name, data, '\t', header)
	case ".json", ".yaml", ".yml", ".toml", ".py":
	default:
		return nil, fmt.Errorf("'%s': unknown format of plot data: want .csv, .tsv, .json, .yaml or .toml", name)
	}
	v, err := decode(name, data)
	if err != nil {
		return nil, err
	}
	var rows []Row
	eachList(v, func(list []any) {
		if !alike(list) {
			return
		}
		for i, e := range list {
			if i == len(rows) {
				rows = append(rows, new(yaml12.Map))
			}
			for _, it := range e.(Row).Items {
				rows[i].Set(python.Str(it.Key), it.Value)
			}
		}
	})
	if len(rows) == 0 {
		return nil, fmt.Errorf("'%s' has no list of maps with the same keys", name)
	}
	return rows, nil
}

func parseCSV(name string, data []byte, comma rune, header bool) ([]Row, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	r.Comma, r.LazyQuotes = comma, true
	records, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read '%s': %w", name, err)
	}
	var fields []string
	switch {
	case len(records) == 0:
		return nil, fmt.Errorf("'%s' has no rows", name)
	case header:
		fields, records = records[0], records[1:]
	default:
		for i := range records[0] {
			fields = append(fields, strconv.Itoa(i))
		}
	}
	rows := make([]Row, len(records))
	for i, record := range records {
		rows[i] = new(yaml12.Map)
		for k, f := range fields {
			rows[i].Set(f, record[k])
		}
	}
	return rows, nil
}

// eachList calls f for a list, or for those in a map at any depth.
func eachList(v any, f func([]any)) {
	switch v := v.(type) {
	case []any:
		f(v)
	case *yaml12.Map:
		for _, it := range v.Items {
			eachList(it.Value, f)
		}
	}
}

// alike reports whether all elements are maps, with no key that the first
// does not have.
func alike(list []any) bool {
	if len(list) == 0 {
		return false
	}
	first, ok := list[0].(Row)
	if !ok {
		return false
	}
	for _, e := range list {
		m, ok := e.(Row)
		if !ok {
			return false
		}
		for _, it := range m.Items {
			if _, ok := first.Get(python.Str(it.Key)); !ok {
				return false
			}
		}
	}
	return true
}

// toFloat reads a number, also from text.
func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil
	}
	return 0, false
}
