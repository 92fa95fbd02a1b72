package plots

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"sync"

	"github.com/flowrepro/flow/internal/figure"
	pages "github.com/flowrepro/flow/internal/page"
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

// pageTemplate is parsed when it is first needed: most commands write no page.
var pageTemplate = sync.OnceValue(func() *pages.Template {
	return pages.Must(pages.New("plots", page, pages.Funcs{
		"inline": func(f figure.Figure) (pages.HTML, error) {
			svg, err := figure.Inline(f)
			return pages.HTML(svg), err //nolint:gosec // the drawing escapes all text in it
		},
		// Within an img element the scripts of an SVG do not run.
		"source": func(i Image) string {
			return "data:" + MediaType(i.Name) + ";base64," + base64.StdEncoding.EncodeToString(i.Data)
		},
	}))
})

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
	if err := pageTemplate().Execute(w, map[string]any{"Title": title, "Items": list}); err != nil {
		return fmt.Errorf("write plots: %w", err)
	}
	return nil
}
