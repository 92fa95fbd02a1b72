package serve

import (
	"bytes"
	_ "embed" // the document
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	pages "github.com/flowrepro/flow/internal/page"
)

// openAPISource describes all routes. A test holds it to them.
//
//go:embed web/openapi.json
var openAPISource []byte

// openAPI is what the page of the document shows of it.
type openAPI struct {
	Info struct {
		Title, Description string
	}
	Tags []struct {
		Name, Description string
	}
	Paths map[string]map[string]operation
}

type operation struct {
	Summary, Description string
	Tags                 []string
	RequestBody          struct {
		Content map[string]media
	} `json:"requestBody"`
	Responses map[string]struct {
		Description string
		Content     map[string]media
	}
}

type media struct{ Example json.RawMessage }

// show returns the example as a person reads it.
func (m media) show() string {
	var text string
	if json.Unmarshal(m.Example, &text) == nil {
		return strings.TrimRight(text, "\n")
	}
	var out bytes.Buffer
	if json.Indent(&out, m.Example, "", "  ") != nil {
		return ""
	}
	return out.String()
}

type docsData struct {
	Title, Description string
	Groups             []docsGroup
}

type docsGroup struct {
	Name, Description string
	Operations        []docsOperation
}

type docsOperation struct {
	Method, Path, Summary, Description string
	Bodies                             []docsBody
	Answers                            []docsAnswer
}

type docsBody struct{ Type, Example string }

type docsAnswer struct{ Status, Description, Example string }

func renderDocs(t *pages.Template) ([]byte, error) {
	var doc openAPI
	if err := json.Unmarshal(openAPISource, &doc); err != nil {
		return nil, fmt.Errorf("read openapi.json: %w", err)
	}
	data := docsData{Title: doc.Info.Title, Description: doc.Info.Description}
	for _, tag := range doc.Tags {
		g := docsGroup{Name: tag.Name, Description: tag.Description}
		for path, methods := range doc.Paths {
			for method, o := range methods {
				if slices.Contains(o.Tags, tag.Name) {
					g.Operations = append(g.Operations, o.docs(strings.ToUpper(method), path))
				}
			}
		}
		slices.SortFunc(g.Operations, func(a, b docsOperation) int {
			return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
		})
		data.Groups = append(data.Groups, g)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("render page of the API: %w", err)
	}
	return out.Bytes(), nil
}

func (o operation) docs(method, path string) docsOperation {
	d := docsOperation{Method: method, Path: path, Summary: o.Summary, Description: o.Description}
	for kind, m := range o.RequestBody.Content {
		if example := m.show(); example != "" {
			d.Bodies = append(d.Bodies, docsBody{kind, example})
		}
	}
	slices.SortFunc(d.Bodies, func(a, b docsBody) int { return strings.Compare(a.Type, b.Type) })
	for status, r := range o.Responses {
		a := docsAnswer{Status: status, Description: r.Description}
		for _, m := range r.Content {
			if example := m.show(); example != "" && status == "200" {
				a.Example = example
			}
		}
		d.Answers = append(d.Answers, a)
	}
	slices.SortFunc(d.Answers, func(a, b docsAnswer) int { return strings.Compare(a.Status, b.Status) })
	return d
}

func (c *call) openAPI() error {
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(openAPISource)))
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(openAPISource) // the client may be gone
	return nil
}

func (c *call) docs() error {
	c.html(http.StatusOK, c.s.page.document)
	return nil
}
