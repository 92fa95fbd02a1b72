//go:build interop

package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// define gives the server the kinds of Prometheus' operator, and waits until it
// knows them.
func (a *api) define(t *testing.T) {
	t.Helper()
	for _, name := range []string{"servicemonitors", "prometheusrules"} {
		data, err := os.ReadFile(filepath.Join(tools(t), "crds", "monitoring.coreos.com_"+name+".yaml"))
		check(t, err)
		var definition map[string]any
		check(t, yaml.Unmarshal(data, &definition))
		_, err = a.do(http.MethodPost, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
		check(t, err)
		a.until(t, "/apis/monitoring.coreos.com/v1/"+name, func([]byte) bool { return true })
	}
}

// until asks for a path until the answer is as wanted.
func (a *api) until(t *testing.T, path string, wanted func([]byte) bool) []byte {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		r, err := http.NewRequest(http.MethodGet, a.url+path, nil)
		check(t, err)
		_, said, err := a.send(r)
		if err == nil && wanted(said) {
			return said
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %v", path, err)
		}
	}
}

// schemas writes a JSON schema for each kind that the server knows, made of its
// OpenAPI document, and returns kubeconform's template of their location. The
// schemas allow no field that the server does not know.
func (a *api) schemas(t *testing.T) string {
	t.Helper()
	a.define(t)
	document := a.until(t, "/openapi/v2", func(said []byte) bool {
		return bytes.Contains(said, []byte("com.coreos.monitoring.v1.ServiceMonitor")) && bytes.Contains(said, []byte("com.coreos.monitoring.v1.PrometheusRule"))
	})
	var api struct {
		Definitions map[string]map[string]any `json:"definitions"`
	}
	check(t, json.Unmarshal(document, &api))
	dir, kinds := t.TempDir(), 0
	write := func(name string, v any) {
		data, err := json.Marshal(v)
		check(t, err)
		check(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	for key, definition := range api.Definitions {
		group, _ := definition["x-kubernetes-group-version-kind"].([]any)
		for _, g := range group {
			gvk, _ := g.(map[string]any)
			name := strings.ToLower(fmt.Sprintf("%s-%s-%s.json", gvk["kind"], strings.Split(fmt.Sprint(gvk["group"]), ".")[0], gvk["version"]))
			write(strings.Replace(name, "--", "-", 1), map[string]any{"$ref": "_definitions.json#/definitions/" + key})
			kinds++
		}
	}
	for _, definition := range api.Definitions {
		tighten(definition)
	}
	write("_definitions.json", map[string]any{"definitions": api.Definitions})
	if kinds < 200 {
		t.Fatalf("%d kinds", kinds)
	}
	return filepath.Join(dir, "{{.ResourceKind}}{{.KindSuffix}}.json")
}

// tighten makes a JSON schema of one of OpenAPI, which allows fields it does not
// name and knows two types that are strings or numbers.
func tighten(schema any) {
	switch s := schema.(type) {
	case []any:
		for _, v := range s {
			tighten(v)
		}
	case map[string]any:
		if properties, ok := s["properties"].(map[string]any); ok {
			if _, ok := s["additionalProperties"]; !ok && s["x-kubernetes-preserve-unknown-fields"] != true {
				s["additionalProperties"] = false
			}
			for _, v := range properties {
				tighten(v)
			}
		}
		for _, key := range []string{"items", "additionalProperties", "allOf", "anyOf", "oneOf"} {
			tighten(s[key])
		}
		description, _ := s["description"].(string)
		if s["format"] == "int-or-string" || s["x-kubernetes-int-or-string"] == true || s["type"] == "string" && strings.HasPrefix(description, "Quantity is a fixed-point") {
			s["type"] = []any{"string", "number"}
			delete(s, "format")
		}
	}
}

// conform checks a stream of manifests, and returns what kubeconform says about
// those that are not valid.
func conform(t *testing.T, location string, stream []byte) (valid int, faults string) {
	t.Helper()
	c := exec.Command(filepath.Join(tools(t), "kubeconform"), "-strict", "-summary", "-output", "json", "-schema-location", location)
	c.Stdin = bytes.NewReader(stream)
	out, err := c.Output()
	var said struct {
		Resources []struct{ Kind, Status, Msg string }
		Summary   struct{ Valid, Invalid, Errors, Skipped int }
	}
	check(t, json.Unmarshal(out, &said))
	for _, r := range said.Resources {
		faults += fmt.Sprintf("%s: %s: %s\n", r.Kind, r.Status, r.Msg)
	}
	if s := said.Summary; (err == nil) != (s.Invalid+s.Errors == 0) || s.Skipped > 0 || (faults == "") != (err == nil) {
		t.Errorf("kubeconform: %v, %+v, %s", err, s, faults)
	}
	return said.Summary.Valid, faults
}

// Every overlay and the monitoring conform to the schemas of a real server.
func TestConformance(t *testing.T) {
	location := startAPI(t).schemas(t)
	for _, dir := range append(overlays(t), "../../monitoring") {
		out := render(t, dir)
		if valid, faults := conform(t, location, out); faults != "" || valid != len(objects(t, out)) {
			t.Errorf("%s: %d valid of %d\n%s", dir, valid, len(objects(t, out)), faults)
		}
	}
	// The check can fail.
	for name, c := range map[string]struct{ manifest, want string }{
		"field":     {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {backofLimit: 1, template: {spec: {containers: []}}}\n", "backofLimit"},
		"deep":      {"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, imagePulPolicy: Never}]}\n", "imagePulPolicy"},
		"type":      {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: http}]}\n", "got string, want integer"},
		"missing":   {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: 1}\n", "selector"},
		"kind":      {"apiVersion: apps/v1beta9\nkind: Deployment\nmetadata: {name: a}\n", "could not find schema"},
		"duplicate": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {}\ndata: {}\n", "already set"},
		"monitor":   {"apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: a}\nspec: {selector: {}, endpoints: [{prot: http}]}\n", "prot"},
		"rule":      {"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: a}\nspec: {groups: [{name: a, rules: [{alert: A}]}]}\n", "expr"},
	} {
		if _, faults := conform(t, location, []byte(c.manifest)); !strings.Contains(faults, c.want) {
			t.Errorf("%s: want a fault with %q, have %q", name, c.want, faults)
		}
	}
}
