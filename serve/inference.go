package serve

import (
	"net/http"
	"slices"
	"strings"
)

// platform names the format of models in the Open Inference Protocol.
const platform = "flow"

type tensorMetadata struct {
	Name     string  `json:"name"`
	Datatype string  `json:"datatype"`
	Shape    []int64 `json:"shape"`
}

type outputTensor struct {
	Name     string  `json:"name"`
	Shape    []int64 `json:"shape"`
	Datatype string  `json:"datatype"`
	Data     any     `json:"data"`
}

// named makes sure that the path names the model that answers.
func (c *call) named() error {
	name, version := c.r.PathValue("model"), c.r.PathValue("version")
	if name != c.model.Name {
		return notFound("no model %s; there is %s", name, c.model.Name)
	}
	if version != "" && version != c.model.shown() && version != c.model.Digest() {
		return notFound("no version %s of model %s; there is %s", version, name, c.model.shown())
	}
	return nil
}

func (c *call) serverMetadata() error {
	c.json(http.StatusOK, struct {
		Name       string   `json:"name"`
		Version    string   `json:"version"`
		Extensions []string `json:"extensions"`
	}{"flow", c.s.options.Version, []string{}})
	return nil
}

func (c *call) modelMetadata() error {
	if err := c.named(); err != nil {
		return err
	}
	c.json(http.StatusOK, struct {
		Name     string           `json:"name"`
		Versions []string         `json:"versions"`
		Platform string           `json:"platform"`
		Inputs   []tensorMetadata `json:"inputs"`
		Outputs  []tensorMetadata `json:"outputs"`
	}{
		c.model.Name, []string{c.model.shown()}, platform,
		[]tensorMetadata{{"text", "BYTES", []int64{-1}}},
		[]tensorMetadata{{"label", "INT64", []int64{-1}}, {"probability", "FP64", []int64{-1}}, {"class", "BYTES", []int64{-1}}},
	})
	return nil
}

func (c *call) modelReady() error {
	if err := c.named(); err != nil {
		return err
	}
	c.json(http.StatusOK, struct {
		Name  string `json:"name"`
		Ready bool   `json:"ready"`
	}{c.model.Name, true})
	return nil
}

func (c *call) infer() error {
	if err := c.named(); err != nil {
		return err
	}
	if err := c.wantJSON(); err != nil {
		return err
	}
	if c.r.Header.Get("Inference-Header-Content-Length") != "" {
		return bad("binary data is not supported; send JSON")
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	r, t, texts, err := decodeInfer(body)
	if err != nil {
		return err
	}
	list, err := c.predict(texts)
	if err != nil {
		return err
	}
	labels, probabilities, classes := make([]int, len(list)), make([]float64, len(list)), make([]string, len(list))
	for i, p := range list {
		labels[i], probabilities[i], classes[i] = p.Label, p.Probabilities[1], p.Class
	}
	all := []outputTensor{
		{"label", t.Shape, "INT64", labels}, {"probability", t.Shape, "FP64", probabilities}, {"class", t.Shape, "BYTES", classes},
	}
	var outputs []outputTensor
	for i := range all {
		wanted := len(r.Outputs) == 0
		for _, o := range r.Outputs {
			wanted = wanted || o.Name == all[i].Name
		}
		if wanted {
			outputs = append(outputs, all[i])
		}
	}
	c.json(http.StatusOK, struct {
		Name    string         `json:"model_name"`
		Version string         `json:"model_version"`
		ID      string         `json:"id"`
		Outputs []outputTensor `json:"outputs"`
	}{c.model.Name, c.model.shown(), orString(r.ID, c.id), outputs})
	return nil
}

func orString(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// inferenceExplain explains each text of a request for inference.
func (c *call) inferenceExplain() error {
	if err := c.named(); err != nil {
		return err
	}
	if err := c.wantJSON(); err != nil {
		return err
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	r, _, texts, err := decodeInfer(body)
	if err != nil {
		return err
	}
	if len(texts) != 1 {
		return bad("%d texts: one is explained at a time", len(texts))
	}
	out, err := c.explained(texts[0], 0)
	if err != nil {
		return err
	}
	c.json(http.StatusOK, struct {
		Name        string          `json:"model_name"`
		Version     string          `json:"model_version"`
		ID          string          `json:"id"`
		Explanation explanationJSON `json:"explanation"`
	}{c.model.Name, c.model.shown(), orString(r.ID, c.id), out})
	return nil
}

// repositoryIndex lists the models that are loaded.
func (c *call) repositoryIndex() error {
	type entry struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		State   string `json:"state"`
		Reason  string `json:"reason"`
	}
	list := []entry{}
	for _, h := range c.s.holders {
		if l := h.current.Load(); l != nil {
			e := entry{Name: l.Name, Version: l.shown(), State: "READY", Reason: h.role}
			if !slices.Contains(list, e) {
				list = append(list, e)
			}
		}
	}
	c.json(http.StatusOK, list)
	return nil
}

// kserveReady and kservePredict are KServe's first protocol, whose paths end in
// a verb.
func (c *call) kserveReady() error {
	if err := c.named(); err != nil {
		return err
	}
	c.json(http.StatusOK, struct {
		Name  string `json:"name"`
		Ready bool   `json:"ready"`
	}{c.model.Name, true})
	return nil
}

func (c *call) kservePredict() error {
	name, ok := strings.CutSuffix(c.r.PathValue("model"), ":predict")
	if !ok {
		return notFound("want /v1/models/%s:predict", c.model.Name)
	}
	c.r.SetPathValue("model", name)
	if err := c.named(); err != nil {
		return err
	}
	if err := c.wantJSON(); err != nil {
		return err
	}
	return c.invoke(decodeInvocations)
}
