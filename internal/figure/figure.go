package figure

import (
	"image/color"
	"math"
	"strconv"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
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
	plot() (*plot.Plot, error)
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

// Axis is a labelled axis.
type Axis struct {
	Label string
	// Min and Max bound the axis; where they are equal the data does.
	Min, Max float64
	// Names stand at 0, 1, … instead of numbers.
	Names []string
}

// Unit is an axis from 0 to 1.
func Unit(label string) Axis { return Axis{Label: label, Min: 0, Max: 1} }

func textStyle(size vg.Length, bold bool) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return text.Style{Color: ink, Font: f, Handler: text.Plain{Fonts: font.DefaultCache}}
}

// newPlot makes a plot without title, legend or data.
func newPlot(x, y Axis) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []struct {
		axis *plot.Axis
		from Axis
	}{{&p.X, x}, {&p.Y, y}} {
		rotation, xa, ya := a.axis.Label.TextStyle.Rotation, a.axis.Label.TextStyle.XAlign, a.axis.Label.TextStyle.YAlign
		a.axis.Label.Text = a.from.Label
		a.axis.Label.TextStyle = textStyle(labelSize, false)
		a.axis.Label.TextStyle.Rotation, a.axis.Label.TextStyle.XAlign, a.axis.Label.TextStyle.YAlign = rotation, xa, ya
		a.axis.Label.Padding = vg.Points(5)
		xa, ya = a.axis.Tick.Label.XAlign, a.axis.Tick.Label.YAlign
		a.axis.Tick.Label = textStyle(tickSize, false)
		a.axis.Tick.Label.XAlign, a.axis.Tick.Label.YAlign = xa, ya
		a.axis.LineStyle.Color, a.axis.Tick.LineStyle.Color = ink, ink
		a.axis.LineStyle.Width, a.axis.Tick.LineStyle.Width = vg.Points(0.8), vg.Points(0.8)
		a.axis.Padding = vg.Points(4)
		a.axis.Tick.Marker = ticks{a.from.Names}
		if a.from.Min != a.from.Max {
			a.axis.Min, a.axis.Max = a.from.Min, a.from.Max
		}
	}
	return p
}

// settle widens the axes that the data has bounded: a line along an edge
// could not be seen.
func settle(p *plot.Plot, x, y Axis) {
	for _, a := range []struct {
		axis *plot.Axis
		from Axis
	}{{&p.X, x}, {&p.Y, y}} {
		switch {
		case a.from.Min != a.from.Max:
			a.axis.Min, a.axis.Max = a.from.Min, a.from.Max
		case len(a.from.Names) > 0:
			a.axis.Min, a.axis.Max = -0.5, float64(len(a.from.Names))-0.5
		case math.IsInf(a.axis.Min, 0) || math.IsInf(a.axis.Max, 0):
			a.axis.Min, a.axis.Max = 0, 1
		case a.axis.Min == a.axis.Max:
			a.axis.Min, a.axis.Max = a.axis.Min-0.5, a.axis.Max+0.5
		}
	}
}

// ticks marks an axis with up to about six round numbers, or with names.
type ticks struct{ names []string }

// Ticks implements plot.Ticker.
func (t ticks) Ticks(low, high float64) []plot.Tick {
	var list []plot.Tick
	if len(t.names) > 0 {
		every := (len(t.names) + 19) / 20
		for i := 0; i < len(t.names); i += every {
			list = append(list, plot.Tick{Value: float64(i), Label: shortened(t.names[i], 24)})
		}
		return list
	}
	step := roundStep((high - low) / 6)
	if !(step > 0) || math.IsInf(step, 0) {
		return []plot.Tick{{Value: low, Label: number(low)}}
	}
	first := math.Ceil(low/step - 1e-9)
	for k := range 20 {
		v := (first + float64(k)) * step
		if v > high+step*1e-9 {
			break
		}
		list = append(list, plot.Tick{Value: v, Label: fixed(v, step)})
	}
	return list
}

// roundStep returns the smallest of 1, 2, 5 and 10 times a power of ten that
// is at least s.
func roundStep(s float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(s)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= s*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// fixed writes a multiple of step with the digits that step needs.
func fixed(v, step float64) string {
	digits := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	if math.Abs(v) >= 1e7 || digits > 6 {
		return number(v)
	}
	if math.Abs(v) < step/2 {
		v = 0
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

func shortened(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// drawTo draws title, legend and plot one below the other.
func drawTo(c draw.Canvas, f Figure) error {
	p, err := f.plot()
	if err != nil {
		return err
	}
	c = draw.Crop(c, margin, -margin, margin, -margin)
	top := c.Max.Y
	if t := f.title(); t != "" {
		style := textStyle(titleSize, true)
		style.YAlign = draw.YTop
		c.FillText(style, vg.Point{X: c.Min.X, Y: top}, shortened(t, 80))
		top -= titleSize + 9
	}
	if list := f.entries(); len(list) > 0 {
		top = drawLegend(c, list, top)
	}
	c.Max.Y = top
	p.Draw(c)
	return nil
}

// drawLegend draws the entries in lines below top, and returns where the
// rest begins.
func drawLegend(c draw.Canvas, list []entry, top vg.Length) vg.Length {
	style := textStyle(tickSize, false)
	style.YAlign = draw.YCenter
	x, y := c.Min.X, top-tickSize/2
	for _, e := range list {
		name := shortened(e.name, 60)
		wide := legendSign + 5 + style.Width(name)
		if x > c.Min.X && x+wide > c.Max.X {
			x, y = c.Min.X, y-tickSize-5
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
		c.DrawGlyph(draw.GlyphStyle{Color: s.color, Radius: 3, Shape: draw.CircleGlyph{}}, vg.Point{X: x + legendSign/2, Y: y})
	default:
		c.StrokeLine2(draw.LineStyle{Color: s.color, Width: lineWidth, Dashes: s.dashes}, x, y, x+legendSign, y)
	}
}
