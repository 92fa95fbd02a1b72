package plots

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"github.com/flowrepro/flow/internal/figure"
)

// Image is an image file at a revision.
type Image struct {
	Revision, Name string
	Data           []byte
}

// Item is an entry of a page: a plot, or the images of one file.
type Item struct {
	ID     string
	Plot   *Plot
	Images []Image
}

//go:embed page.html
var page string

var pageTemplate = template.Must(template.New("plots").Funcs(template.FuncMap{
	"inline": func(f figure.Figure) (template.HTML, error) {
		svg, err := figure.Inline(f)
		return template.HTML(svg), err //nolint:gosec // the drawing escapes all text in it
	},
	// Within an img element the scripts of an SVG do not run.
	"source": func(i Image) template.URL {
		return template.URL("data:" + MediaType(i.Name) + ";base64," + base64.StdEncoding.EncodeToString(i.Data)) //nolint:gosec // base64 of a known type
	},
}).Parse(page))

// WritePage writes the plots as one page that needs nothing but itself. Plots
// that cannot be drawn are named with the reason.
func WritePage(w io.Writer, title string, items []Item) error {
	type drawn struct {
		Item
		Figures []figure.Figure
		Problem string
	}
	var list []drawn
	for _, it := range items {
		d := drawn{Item: it}
		if it.Plot != nil {
			var err error
			if d.Figures, err = it.Plot.Figures(); err != nil {
				d.Problem = err.Error()
			}
		}
		list = append(list, d)
	}
	if err := pageTemplate.Execute(w, map[string]any{"Title": title, "Items": list}); err != nil {
		return fmt.Errorf("write plots: %w", err)
	}
	return nil
}
