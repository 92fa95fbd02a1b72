package figure

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The measures of a figure.
const (
	width       = 15 * vg.Centimeter
	height      = 11 * vg.Centimeter
	margin      = vg.Length(10)
	titleSize   = vg.Length(13)
	labelSize   = vg.Length(11)
	tickSize    = vg.Length(10)
	lineWidth   = vg.Length(1.8)
	legendSign  = vg.Length(18)
	legendSpace = vg.Length(14)
	legendLead  = vg.Length(6)
)

// Colours that have a role. In a page they follow its theme, so that no other
// thing may have them.
var (
	ink   = color.RGBA{R: 0x1b, G: 0x1f, B: 0x24, A: 0xff}
	faint = color.RGBA{R: 0xdc, G: 0xe1, B: 0xe6, A: 0xff}
	guide = color.RGBA{R: 0x7a, G: 0x82, B: 0x8c, A: 0xff}
)

// palette is Okabe's and Ito's without black and yellow.
var palette = []color.RGBA{
	{R: 0x00, G: 0x72, B: 0xb2, A: 0xff},
	{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff},
	{R: 0x00, G: 0x9e, B: 0x73, A: 0xff},
	{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff},
	{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff},
	{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff},
}

// Figure is something that can be drawn: [Lines], [Bars] or [Matrix].
type Figure interface {
	// Description says in a sentence what the figure shows, for those who do
	// not see it.
	Description() string
	title() string
	entries() []entry
	chart() (*chart, error)
}

// entry is a line of the legend.
type entry struct {
	name string
	sign sign
}

// sign is how a series looks in the legend.
type sign struct {
	color  color.Color
	dashes []vg.Length
	// fill and dots tell that it is not a line.
	fill color.Color
	dots bool
}

// drawTo draws title, legend and plot one below the other.
func drawTo(c draw.Canvas, f Figure) error {
	p, err := f.chart()
	if err != nil {
		return err
	}
	c = draw.Crop(c, margin, -margin, margin, -margin)
	top := c.Max.Y
	if t := f.title(); t != "" {
		style := textStyle(titleSize, true)
		style.YAlign = draw.YTop
		c.FillText(style, vg.Point{X: c.Min.X, Y: top}, fitted(style, t, c.Max.X-c.Min.X))
		top -= titleSize + 9
	}
	if list := f.entries(); len(list) > 0 {
		top = drawLegend(c, list, top)
	}
	c.Max.Y = top
	p.draw(c)
	return nil
}

// drawLegend draws the entries in lines below top, and returns where the
// rest begins.
func drawLegend(c draw.Canvas, list []entry, top vg.Length) vg.Length {
	style := textStyle(tickSize, false)
	style.YAlign = draw.YCenter
	x, y := c.Min.X, top-tickSize/2
	for _, e := range list {
		name := fitted(style, e.name, c.Max.X-c.Min.X-legendSign-5)
		wide := legendSign + 5 + looseness*style.Width(name)
		if x > c.Min.X && x+wide > c.Max.X {
			x, y = c.Min.X, y-tickSize-legendLead
		}
		e.sign.draw(c, x, y)
		c.FillText(style, vg.Point{X: x + legendSign + 5, Y: y}, name)
		x += wide + legendSpace
	}
	return y - tickSize/2 - 9
}

func (s sign) draw(c draw.Canvas, x, y vg.Length) {
	switch {
	case s.fill != nil:
		box := []vg.Point{{X: x + 3, Y: y - 4}, {X: x + legendSign, Y: y - 4}, {X: x + legendSign, Y: y + 4}, {X: x + 3, Y: y + 4}}
		c.FillPolygon(s.fill, box)
		if s.color != nil {
			c.StrokeLines(draw.LineStyle{Color: s.color, Width: 1}, append(box, box[0]))
		}
	case s.dots:
		c.DrawGlyph(draw.GlyphStyle{Color: s.color, Radius: dotRadius, Shape: draw.CircleGlyph{}}, vg.Point{X: x + legendSign/2, Y: y})
	default:
		c.StrokeLine2(draw.LineStyle{Color: s.color, Width: lineWidth, Dashes: s.dashes}, x, y, x+legendSign, y)
	}
}
