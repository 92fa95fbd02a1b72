package plots

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

func decode(name string, data []byte) (any, error) { return yaml12.Decode(name, data) }

func parse(t *testing.T, name, data string) []Row {
	t.Helper()
	rows, err := Parse(name, []byte(data), true, decode)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func rowsJSON(rows []Row) string {
	list := make([]any, len(rows))
	for i, r := range rows {
		list[i] = r
	}
	return string(python.JSON(list))
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, data string
		header     bool
		want       string
	}{
		{"a.csv", "x,y\n1,2\n3,\"4,5\"\n", true, `[{"x": "1", "y": "2"}, {"x": "3", "y": "4,5"}]`},
		{"a.csv", "\ufeffx,y\r\n1,2\r\n", true, `[{"x": "1", "y": "2"}]`},
		{"a.tsv", "1\t2\n3\t4\n", false, `[{"0": "1", "1": "2"}, {"0": "3", "1": "4"}]`},
		{"a.json", `[{"x": 1, "y": 0.5}, {"x": 2, "y": null}]`, true, `[{"x": 1, "y": 0.5}, {"x": 2, "y": null}]`},
		{"a.yaml", "deep:\n  one: [{x: 1}, {x: 2}]\n  other: [{y: 3}, {y: 4}]\n  scalars: [1, 2]\n", true, `[{"x": 1, "y": 3}, {"x": 2, "y": 4}]`},
	} {
		rows, err := Parse(c.name, []byte(c.data), c.header, decode)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, rowsJSON(rows)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	for name, data := range map[string]string{
		"a.csv": "", "b.csv": "x,y\n1\n", "a.json": "{}", "b.json": `[1, 2]`, "c.json": `[{"x": 1}, {"z": 1}]`, "d.json": "[", "a.txt": "x", "a.png": "x",
	} {
		if rows, err := Parse(name, []byte(data), true, decode); err == nil {
			t.Errorf("%s: %s", name, rowsJSON(rows))
		}
	}
}

func definition(t *testing.T, id, file, props string) Definition {
	t.Helper()
	v, err := yaml12.Decode("props", []byte(props))
	if err != nil {
		t.Fatal(err)
	}
	m, _ := v.(*yaml12.Map)
	d, err := NewDefinition(id, file, m, func(s string) string { return "sub/" + s })
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestBuild(t *testing.T) {
	loss := parse(t, "l.csv", "step,loss,acc\n0,1.5,0.1\n1,0.5,0.9\n")
	other := parse(t, "o.csv", "epoch,value\n0,7\n1,8\n")
	for _, c := range []struct {
		name, file, props string
		rows              map[string][]Row
		x, y, xLabel      string
		want              string
	}{
		{"defaults", "l.csv", "{}", map[string][]Row{"l.csv": loss}, "step", "acc", "step",
			`[{"acc": "0.1", "loss": "1.5", "rev": "workspace", "step": 0}, {"acc": "0.9", "loss": "0.5", "rev": "workspace", "step": 1}]`},
		{"fields", "l.csv", "{x: acc, y: loss, x_label: X}", map[string][]Row{"l.csv": loss}, "acc", "loss", "X",
			`[{"acc": "0.1", "loss": "1.5", "rev": "workspace", "step": "0"}, {"acc": "0.9", "loss": "0.5", "rev": "workspace", "step": "1"}]`},
		{"several", "l.csv", "{x: step, y: [loss, acc]}", map[string][]Row{"l.csv": loss[:1]}, "step", unifiedY, "step",
			`[{"acc": "0.1", "dvc_inferred_y_value": "1.5", "field": "loss", "loss": "1.5", "rev": "workspace", "step": "0"}, ` +
				`{"acc": "0.1", "dvc_inferred_y_value": "0.1", "field": "acc", "loss": "1.5", "rev": "workspace", "step": "0"}]`},
		{"files", "", "{x: {l.csv: acc}, y: {o.csv: value}}", map[string][]Row{"sub/l.csv": loss[:1], "sub/o.csv": other[:1]}, "acc", "value", "acc",
			`[{"acc": "0.1", "epoch": "0", "rev": "workspace", "value": "7"}]`},
	} {
		p, err := Build(definition(t, c.name, c.file, c.props), []Revision{{"workspace", c.rows}})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff([]string{c.x, c.y, c.xLabel, c.want}, []string{p.X, p.Y, p.XLabel, rowsJSON(p.Rows)}); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestBuildFaults(t *testing.T) {
	rows := parse(t, "l.csv", "x,y\n1,2\n3,4\n")
	data := []Revision{{"workspace", map[string][]Row{"l.csv": rows, "sub/short.csv": rows[:1]}}}
	for props, want := range map[string]string{
		"{y: none}":                         "no field 'none'",
		"{x: none}":                         "no field 'none'",
		"{template: odd}":                   "unknown template",
		"{x: {short.csv: x}, y: y}":         "cannot join",
		"{y: {absent.csv: y}}":              "no data",
		"{x: {short.csv: [x, y]}, y: y}":    "",
		"{y: 5}":                            "",
		"{y: [1]}":                          "",
		"{title: 5}":                        "",
		"{x: {short.csv: {a: b}}, y: y}":    "",
		"{x: [x, y, x], y: {a: [p], b: q}}": "",
	} {
		v, err := yaml12.Decode("props", []byte(props))
		if err != nil {
			t.Fatal(err)
		}
		d, err := NewDefinition("id", "l.csv", v.(*yaml12.Map), func(s string) string { return "sub/" + s })
		if want == "" {
			if err == nil {
				t.Errorf("%s is a definition", props)
			}
			continue
		}
		if err == nil {
			_, err = Build(d, data)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", props, err, want)
		}
	}
	// A revision whose data does not fit does not take the others with it.
	more := append(data, Revision{"old", map[string][]Row{"l.csv": parse(t, "l.csv", "a,b\n1,2\n")}}, Revision{Name: "older"})
	p, err := Build(definition(t, "id", "l.csv", "{x: x, y: y}"), more)
	if err != nil || len(p.Problems) != 1 || len(p.Revisions) != 1 || len(p.Rows) != 2 {
		t.Errorf("%+v, %v", p, err)
	}
}

func classes(t *testing.T) []Row {
	t.Helper()
	return parse(t, "c.json", `[{"actual": "a", "predicted": "a"}, {"actual": "a", "predicted": "b"}, {"actual": "b", "predicted": "b"}]`)
}

// Every template gives a specification that is JSON, and figures.
func TestTemplates(t *testing.T) {
	rows := map[string][]Row{"c.json": classes(t), "l.csv": parse(t, "l.csv", "x,y\n3,2\n1,4\n2,-1\n")}
	for _, template := range Templates() {
		file, props := "l.csv", "{x: x, y: y, template: "+template+"}"
		if strings.HasPrefix(template, "confusion") {
			file, props = "c.json", "{x: actual, y: predicted, template: "+template+"}"
		}
		p, err := Build(definition(t, "id", file, props), []Revision{{"workspace", rows}, {"HEAD", rows}})
		if err != nil {
			t.Fatal(err)
		}
		var spec map[string]any
		if err := json.Unmarshal(p.JSON(), &spec); err != nil || spec["$schema"] != schema || spec["data"] == nil {
			t.Errorf("%s: %v, %v", template, spec, err)
		}
		figures, err := p.Figures()
		want := 1
		if strings.HasPrefix(template, "confusion") {
			want = 2
		}
		if err != nil || len(figures) != want {
			t.Errorf("%s: %d figures, %v", template, len(figures), err)
		}
	}
	if _, err := Build(definition(t, "id", "l.csv", "{template: pie}"), []Revision{{"w", rows}}); err == nil {
		t.Error("an unknown template is no error")
	}
}

func TestPageIsSelfContained(t *testing.T) {
	hostile := `<script>alert(1)</script>"'`
	rows := classes(t)
	for _, r := range rows {
		r.Set("actual", hostile)
	}
	p, err := Build(Definition{ID: hostile, Title: hostile, XLabel: hostile, Template: "confusion", X: []Source{{"f", "actual"}}, Y: []Source{{"f", "predicted"}}},
		[]Revision{{hostile, map[string][]Row{"f": rows}}})
	if err != nil {
		t.Fatal(err)
	}
	many := make([]Row, 100)
	for i := range many {
		many[i] = object("x", int64(i), "y", "b")
	}
	wide, err := Build(Definition{ID: "wide", Template: "confusion", X: []Source{{"f", "x"}}, Y: []Source{{"f", "y"}}}, []Revision{{"w", map[string][]Row{"f": many}}})
	if err != nil {
		t.Fatal(err)
	}
	items := []Item{{ID: hostile, Plot: p}, {ID: "wide", Plot: wide},
		{ID: hostile, Images: []Image{{Revision: hostile, Name: "a.svg", Data: []byte(`<svg onload="alert(1)"/>`)}}}}
	var a, b bytes.Buffer
	if err := errors.Join(WritePage(&a, hostile, items), WritePage(&b, hostile, items)); err != nil {
		t.Fatal(err)
	}
	page := a.String()
	if page != b.String() {
		t.Error("the same plots give other bytes")
	}
	for _, bad := range []string{"<script", "onload", "http://", "https://", "url("} {
		if strings.Contains(strings.ReplaceAll(page, "http://www.w3.org/2000/svg", ""), bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if !strings.Contains(page, "data:image/svg&#43;xml;base64,") && !strings.Contains(page, "data:image/svg+xml;base64,") {
		t.Error("the image is not in the page")
	}
	if !strings.Contains(page, "too many to draw") || !strings.Contains(page, `content="default-src 'none'`) {
		t.Error("no word of what cannot be drawn, or no content security policy")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a.csv", []byte("x,y\n1,2\n"))
	f.Add("a.json", []byte(`[{"x": 1}]`))
	f.Add("a.yaml", []byte("a: [{x: 1}, {x: .nan}]"))
	f.Add("a.tsv", []byte("\"a\tb\n"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		rows, err := Parse(name, data, true, decode)
		if err != nil || len(rows) == 0 || rows[0].Len() == 0 {
			return
		}
		p, err := Build(Definition{ID: "id", Y: []Source{{File: "f"}}}, []Revision{{"w", map[string][]Row{"f": rows}}})
		if err != nil {
			return
		}
		if !json.Valid(p.JSON()) {
			t.Errorf("not JSON: %s", p.JSON())
		}
		if len(rows) < 50 {
			if err := WritePage(new(bytes.Buffer), "", []Item{{ID: "id", Plot: p}}); err != nil {
				t.Error(err)
			}
		}
	})
}
