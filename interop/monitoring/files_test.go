//go:build interop

package monitoring

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const committed = "../../monitoring"

type ruleGroup struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval,omitempty"`
	Rules    []rule `yaml:"rules"`
}

type rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rules are what rules.yaml has below spec.
func rules(t *testing.T) []ruleGroup {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(committed, "rules.yaml"))
	check(t, err)
	var file struct {
		Spec struct {
			Groups []ruleGroup `yaml:"groups"`
		} `yaml:"spec"`
	}
	check(t, yaml.Unmarshal(data, &file))
	if len(file.Spec.Groups) == 0 {
		t.Fatal("rules.yaml has no groups")
	}
	return file.Spec.Groups
}

func writeRules(t *testing.T, path string, groups []ruleGroup) {
	t.Helper()
	data, err := yaml.Marshal(map[string]any{"groups": groups})
	check(t, err)
	check(t, os.WriteFile(path, data, 0o666))
}

// queries are the expressions of the dashboard, by panel, with its variables
// filled in.
func queries(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(committed, "dashboard.json"))
	check(t, err)
	var board struct {
		Panels []struct {
			Title, Type string
			Targets     []struct{ Expr string }
		}
		Annotations struct {
			List []struct{ Name, Expr string }
		}
	}
	check(t, json.Unmarshal(data, &board))
	fill := strings.NewReplacer("$job", "flow", "$__rate_interval", "1m")
	all := map[string][]string{}
	for _, p := range board.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q has no query", p.Title)
		}
		for _, target := range p.Targets {
			all[p.Title] = append(all[p.Title], fill.Replace(target.Expr))
		}
	}
	for _, a := range board.Annotations.List {
		// An annotation is of a moment: what it compares has to have data.
		all[a.Name] = append(all[a.Name], operand(fill.Replace(a.Expr)))
	}
	if len(all) < 10 {
		t.Fatalf("the dashboard has %d panels with queries", len(all))
	}
	return all
}

var comparison = regexp.MustCompile(`\s*(==|>)\s*[0-9.]+$`)

// operand is an expression without the bound that it is compared with.
func operand(expr string) string { return comparison.ReplaceAllString(expr, "") }
