package serve

import "net/http"

// invocationsTypes are the content types of MLflow's scoring protocol.
const invocationsTypes = "application/json or text/csv"

// invocations answers as MLflow's scoring server does for the same directory:
// a record for each text, with the label's name and the probability of label 1.
func (c *call) invocations() error {
	switch kind, _ := c.contentType(); kind {
	case "application/json":
		return c.invoke(decodeInvocations)
	case "text/csv":
		return c.invoke(func(body []byte) ([]string, error) { return decodeCSV(body, c.s.options.Limits.Texts) })
	}
	return unsupported(c.r.Header.Get("Content-Type"), invocationsTypes)
}

func (c *call) invoke(decode func(body []byte) ([]string, error)) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	texts, err := decode(body)
	if err != nil {
		return err
	}
	list, err := c.predict(texts)
	if err != nil {
		return err
	}
	type record struct {
		Label       string  `json:"label"`
		Probability float64 `json:"probability"`
	}
	out := struct {
		Predictions []record `json:"predictions"`
	}{make([]record, len(list))}
	for i, p := range list {
		out.Predictions[i] = record{p.Class, p.Probabilities[1]}
	}
	c.json(http.StatusOK, out)
	return nil
}
