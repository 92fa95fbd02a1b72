package score

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// WriteJSON writes a value of this package as indented JSON. A list of points
// is what plotting tools read as a table.
func WriteJSON(w io.Writer, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

// WriteRows writes a list as JSON with one element a line: short, and easy to
// compare.
func WriteRows[T any](w io.Writer, rows []T) error {
	b := bufio.NewWriter(w)
	for i, r := range rows {
		data, err := json.Marshal(r)
		if err != nil {
			return err
		}
		b.WriteString([]string{"[\n", ",\n"}[min(i, 1)]) //nolint:errcheck // Flush reports it
		b.Write(data)                                    //nolint:errcheck // Flush reports it
	}
	if len(rows) == 0 {
		b.WriteByte('[') //nolint:errcheck // Flush reports it
	}
	b.WriteString("\n]\n") //nolint:errcheck // Flush reports it
	return b.Flush()
}

// outcome is one row of a confusion matrix plot: one for each evaluated row.
type outcome struct {
	Actual    string `json:"actual"`
	Predicted string `json:"predicted"`
}

// WriteOutcomes writes the actual and the predicted class of each row as a
// JSON list, from which tools count a confusion matrix.
func WriteOutcomes(w io.Writer, s Sample, threshold float64, classes [2]string) error {
	if err := s.Check(); err != nil {
		return fmt.Errorf("outcomes: %w", err)
	}
	rows := make([]outcome, s.Len())
	for i, l := range s.Labels {
		predicted := 0
		if s.Probabilities[i] > threshold {
			predicted = 1
		}
		rows[i] = outcome{classes[l], classes[predicted]}
	}
	return WriteRows(w, rows)
}
