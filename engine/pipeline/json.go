package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flowrepro/flow/internal/yaml12"
)

// maxNesting bounds how deeply parameter files nest.
const maxNesting = 500

// decodeJSON reads a JSON file: keys in order, integers of any size apart from
// floats.
func decodeJSON(name string, data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := jsonValue(dec, 0)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("unexpected text after the value")
		}
	}
	if err == nil {
		return v, nil
	}
	if errors.Is(err, io.EOF) && len(bytes.TrimSpace(data)) == 0 {
		err = errors.New("the file is empty")
	}
	at := dec.InputOffset()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at = faultAt(data, syntax)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		at, err = int64(len(data)), errors.New("the file ends too early")
	}
	line, col := position(data, int(at))
	return nil, yaml12.Errors{{Kind: yaml12.Syntax, File: name, Line: line, Column: col, Msg: "not JSON: " + err.Error()}}
}

// faultAt is the offset of the character a syntax error is about. The decoder
// gives the offset of it or the one behind it.
func faultAt(data []byte, e *json.SyntaxError) int64 {
	at := max(e.Offset-1, 0)
	if rest, ok := strings.CutPrefix(e.Error(), "invalid character '"); ok && e.Offset < int64(len(data)) {
		if r, _ := utf8.DecodeRuneInString(rest); data[e.Offset] == byte(r) && data[at] != byte(r) {
			return e.Offset
		}
	}
	return at
}

// position returns the line and column of an offset.
func position(data []byte, at int) (line, col int) {
	at = min(at, len(data))
	start := bytes.LastIndexByte(data[:at], '\n') + 1
	return bytes.Count(data[:at], []byte{'\n'}) + 1, utf8.RuneCount(data[start:at]) + 1
}

func jsonValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("nested more than %d levels deep", maxNesting)
	}
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			list := []any{}
			for dec.More() {
				e, err := jsonValue(dec, depth+1)
				if err != nil {
					return nil, err
				}
				list = append(list, e)
			}
			_, err := dec.Token()
			return list, err
		}
		return jsonMap(dec, depth)
	case json.Number:
		return jsonNumber(string(t)), nil
	}
	return t, nil
}

// jsonMap reads an object; of equal keys the last one counts and the first one
// gives the place, as in Python.
func jsonMap(dec *json.Decoder, depth int) (any, error) {
	m := &yaml12.Map{}
	at := map[string]int{}
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, ok := k.(string)
		if !ok {
			return nil, fmt.Errorf("expected a key, found %v", k)
		}
		e, err := jsonValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		if i, dup := at[key]; dup {
			m.Items[i].Value = e
			continue
		}
		at[key] = len(m.Items)
		m.Items = append(m.Items, yaml12.Item{Key: key, Value: e})
	}
	_, err := dec.Token()
	return m, err
}

func jsonNumber(s string) any {
	if strings.ContainsAny(s, ".eE") {
		f, _ := strconv.ParseFloat(s, 64) // out of range is infinity, as in Python
		return f
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	n, _ := new(big.Int).SetString(s, 10)
	return n
}
