package page_test

import (
	"html/template"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/flowrepro/flow/internal/page"
)

type item struct {
	Name   string
	Weight float64
	Counts [2]int
	Next   *item
}

type data struct {
	item
	Title string
	Items []item
	Any   any
	Map   map[string]any
}

const source = `<!DOCTYPE html><title>{{.Title}}</title><style>p { color: "red" }</style>
<h1 title="{{.Title}}">{{.Title}}</h1>{{/* a remark */}}{{$all := .Items}}{{if .Items}}<p>{{range $i, $x := .Items}}
<i class="{{.Name}}"{{if eq $i 1}} id="x"{{end}}>{{$x.Name}} {{.Weight}} {{index .Counts 1}} {{printf "%.2f to %d" .Weight $i}} {{up .Name}}</i>
{{- with .Next}}<b>{{.Name}}</b>{{else}}none{{end}}{{range $all}}.{{end}}{{end}}</p>{{else}}nothing{{end}}
{{with .Any}}{{.}}{{end}} {{.Map.key}} {{$.Title}} {{raw .Title}}<textarea name="t">{{.Name}}</textarea>
`

// The output is that of html/template, whatever the data is.
func TestAsHTMLTemplate(t *testing.T) {
	up := strings.ToUpper
	theirs := template.Must(template.New("t").Funcs(template.FuncMap{
		"up": up, "raw": func(s string) template.HTML { return template.HTML(s) }}).Parse(source))
	ours := page.Must(page.New("t", source, page.Funcs{
		"up": up, "raw": func(s string) page.HTML { return page.HTML(s) }}))
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`"><script>alert(1)</script>`, `' onload='x`, "a\x00b", "1+1=2 & <b>", "", "`${x}`", "</textarea><b>"}))
	rapid.Check(t, func(r *rapid.T) {
		d := data{Title: text.Draw(r, "title"), Map: map[string]any{"key": text.Draw(r, "key")}, Any: rapid.SampledFrom([]any{nil, 0, 7, "x<y", 1.5}).Draw(r, "any")}
		d.Name = text.Draw(r, "name")
		for range rapid.IntRange(0, 3).Draw(r, "items") {
			x := item{Name: text.Draw(r, "item"), Weight: rapid.Float64().Draw(r, "weight"), Counts: [2]int{1, 2}}
			if rapid.Bool().Draw(r, "next") {
				x.Next = &item{Name: text.Draw(r, "next's name")}
			}
			d.Items = append(d.Items, x)
		}
		var want, have strings.Builder
		if err := theirs.Execute(&want, d); err != nil {
			r.Fatal(err)
		}
		if err := ours.Execute(&have, d); err != nil {
			r.Fatal(err)
		}
		if have.String() != want.String() {
			r.Fatalf("have %q\nwant %q", have.String(), want.String())
		}
	})
}

// What could not be escaped as text is refused.
func TestRefused(t *testing.T) {
	for _, source := range []string{
		`<script>var x = {{.Title}}</script>`, `<style>p { color: {{.Title}} }</style>`, `<p {{.Title}}>`, `<p class={{.Title}}>`,
		`<p {{if .Title}}class="{{end}}x">`, `{{template "x"}}`, `{{if}}`, `{{.Title`, `{{unknown .}}`, `{{break}}`,
	} {
		if _, err := page.New("t", source, nil); err == nil {
			t.Errorf("%s: no error", source)
		}
	}
	for _, source := range []string{`{{.Absent}}`, `{{.Title.Absent}}`, `{{index .Items 3}}`, `{{index .Title "a"}}`, `{{range .Title}}{{end}}`, `{{index .Items}}`, `{{.Title | printf "%s"}}`, `{{.Title 1}}`} {
		p, err := page.New("t", source, nil)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		var out strings.Builder
		if err := p.Execute(&out, data{}); err == nil || out.Len() > 0 {
			t.Errorf("%s: %v, %q", source, err, out.String())
		}
	}
}
