package figure

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"io"
	"strings"
	"sync"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// pngDPI makes a figure about 830 dots wide.
const pngDPI = 140

// fonts are those that look like ours where it is missing.
const fonts = "font-family:Liberation Sans,Arial,Helvetica,sans-serif"

// SVG draws a figure as a document of its own on white ground.
func SVG(w io.Writer, f Figure) error {
	data, err := svg(f, true)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

func svg(f Figure, ground bool) ([]byte, error) {
	c := vgsvg.New(width, height)
	dc := draw.New(c)
	if ground {
		white(dc)
	}
	if err := drawTo(dc, f); err != nil {
		return nil, fmt.Errorf("draw %q: %w", f.title(), err)
	}
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("draw %q: %w", f.title(), err)
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans"), []byte(fonts)), nil
}

// PNG draws a figure as an image.
func PNG(w io.Writer, f Figure) error {
	c := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(pngDPI), vgimg.UseBackgroundColor(color.White))
	if err := drawTo(draw.New(c), f); err != nil {
		return fmt.Errorf("draw %q: %w", f.title(), err)
	}
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(w); err != nil {
		return fmt.Errorf("draw %q: %w", f.title(), err)
	}
	return nil
}

func white(c draw.Canvas) {
	c.FillPolygon(color.White, []vg.Point{
		{X: c.Min.X, Y: c.Min.Y}, {X: c.Max.X, Y: c.Min.Y}, {X: c.Max.X, Y: c.Max.Y}, {X: c.Min.X, Y: c.Max.Y},
	})
}

// Inline draws a figure as an svg element for a page of HTML. It is as wide as
// its container; text and lines have the page's colour, and grid, guides and
// series the CSS variables --figure-grid, --figure-guide and --figure-0 to
// --figure-5 where the page sets them. All text in it is escaped.
func Inline(f Figure) (string, error) {
	data, err := svg(f, false)
	if err != nil {
		return "", err
	}
	text := string(data)
	start := strings.Index(text, "<svg")
	end := strings.IndexByte(text[max(start, 0):], '>')
	if start < 0 || end < 0 {
		return "", fmt.Errorf("draw %q: no svg element", f.title())
	}
	head := fmt.Sprintf(`<svg viewBox="0 0 %.6g %.6g" width="100%%" role="img" aria-label="%s" xmlns="http://www.w3.org/2000/svg">`,
		width.Points(), height.Points(), html.EscapeString(f.Description()))
	return head + themed().Replace(text[start+end+1:]), nil
}

// themed replaces fixed colours by the page's. The figures' colours appear in
// this form in attributes only: text has no '#' followed by one of them and a
// ';' or '"' but by intent, and then nothing but the text changes.
var themed = sync.OnceValue(newThemed)

func newThemed() *strings.Replacer {
	var list []string
	add := func(c color.RGBA, css string) {
		h := fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B)
		list = append(list, ":"+h, ":"+fmt.Sprintf(css, h))
	}
	add(ink, "var(--figure-ink,%s)")
	add(faint, "var(--figure-grid,%s)")
	add(guide, "var(--figure-guide,%s)")
	for i, c := range palette {
		add(c, "var(--figure-"+string(rune('0'+i))+",%s)")
	}
	return strings.NewReplacer(list...)
}
