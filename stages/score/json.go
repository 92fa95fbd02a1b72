package score

import (
	"encoding/json"
	"fmt"
	"io"
)

// WriteMetrics writes metrics as indented JSON.
func WriteMetrics(w io.Writer, m Metrics) error { return writeJSON(w, m) }

// WriteROC writes a curve as a JSON list of points, which plotting tools read
// as a table.
func WriteROC(w io.Writer, points []Point) error { return writeJSON(w, points) }

// outcome is one row of a confusion matrix plot: one for each evaluated row.
type outcome struct {
	Actual    string `json:"actual"`
	Predicted string `json:"predicted"`
}

// WriteOutcomes writes the actual and the predicted class of each row as a
// JSON list, from which tools count a confusion matrix. The arguments are
// those of Measure.
func WriteOutcomes(w io.Writer, labels []int, decisions []float64, classes [2]string) error {
	if err := check(labels, decisions); err != nil {
		return fmt.Errorf("outcomes: %w", err)
	}
	// One row a line: the list is as long as the evaluated data.
	var out []byte
	for i, l := range labels {
		predicted := 0
		if decisions[i] > 0 {
			predicted = 1
		}
		row, err := json.Marshal(outcome{classes[l], classes[predicted]})
		if err != nil {
			return err
		}
		out = append(out, "[,"[min(i, 1)], '\n')
		out = append(out, row...)
	}
	_, err := w.Write(append(out, "\n]\n"...))
	return err
}

func writeJSON(w io.Writer, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}
