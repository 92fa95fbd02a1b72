package model

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// floats are numbers that are written in the shortest form that reads back
// alike, without encoding/json's detour for each.
type floats []float64

// MarshalJSON writes a list. Numbers that are not finite are an error.
func (f floats) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 2+20*len(f))
	out = append(out, '[')
	for i, x := range f {
		if !finite(x) {
			return nil, fmt.Errorf("number %d is %v", i, x)
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendFloat(out, x, 'g', -1, 64)
	}
	return append(out, ']'), nil
}

// writeJSON writes one line of JSON without HTML escapes.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// readJSON reads one JSON value and nothing after it.
func readJSON(r io.Reader, v any) error {
	d := json.NewDecoder(bufio.NewReaderSize(r, 1<<16))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("empty")
		}
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more after the end")
	}
	return nil
}
