package figure

import (
	"math"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The measures of axes.
const (
	axisWidth   = vg.Length(0.8)
	gridWidth   = vg.Length(0.6)
	tickLength  = vg.Length(8)
	axisPadding = vg.Length(4)
	labelGap    = vg.Length(5)
	dotRadius   = vg.Length(3)
)

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

// scale is an axis with the range of its data.
type scale struct {
	Axis
	low, high float64
}

func newScale(a Axis) scale { return scale{a, math.Inf(1), math.Inf(-1)} }

// cover widens the range of the data.
func (s *scale) cover(v float64) { s.low, s.high = min(s.low, v), max(s.high, v) }

// settle fixes the range: a line along an edge could not be seen.
func (s *scale) settle() {
	switch {
	case s.Min != s.Max:
		s.low, s.high = s.Min, s.Max
	case len(s.Names) > 0:
		s.low, s.high = -0.5, float64(len(s.Names))-0.5
	case s.low > s.high:
		s.low, s.high = 0, 1
	case s.low == s.high:
		s.low, s.high = s.low-0.5, s.high+0.5
	}
}

// at is where v stands, 0 at the lower end and 1 at the upper.
func (s *scale) at(v float64) float64 { return (v - s.low) / (s.high - s.low) }

// tick is a mark at a value of an axis.
type tick struct {
	value float64
	label string
}

// ticks marks an axis with up to about six round numbers, or with names.
func (s *scale) ticks() []tick {
	var list []tick
	if len(s.Names) > 0 {
		every := (len(s.Names) + 19) / 20
		for i := 0; i < len(s.Names); i += every {
			list = append(list, tick{float64(i), shortened(s.Names[i], 24)})
		}
		return list
	}
	step := roundStep((s.high - s.low) / 6)
	if !(step > 0) || math.IsInf(step, 0) {
		return []tick{{s.low, number(s.low)}}
	}
	first := math.Ceil(s.low/step - 1e-9)
	for k := range 20 {
		v := (first + float64(k)) * step
		if v > s.high+step*1e-9 {
			break
		}
		list = append(list, tick{v, fixed(v, step)})
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

// chart is the data of a figure between its two axes.
type chart struct {
	x, y scale
	// verticals and horizontals tell which lines of a grid it has.
	verticals, horizontals bool
	// table tells that the axes are names beside cells, not lines.
	table bool
	// dots are the middles of circles that must not be cut off.
	dots  []Point
	marks []func(area)
}

// area is where the data is drawn.
type area struct {
	draw.Canvas
	*chart
}

func (a area) at(p Point) vg.Point { return vg.Point{X: a.X(a.x.at(p.X)), Y: a.Y(a.y.at(p.Y))} }

func (a area) all(points []Point) []vg.Point {
	list := make([]vg.Point, len(points))
	for i, p := range points {
		list[i] = a.at(p)
	}
	return list
}

// around is a thing at a relative position that reaches as far to both sides.
type around struct {
	at    float64
	reach vg.Length
}

// fit returns the ends between which things stand so that none crosses low or
// high.
func fit(low, high vg.Length, things []around) (from, to vg.Length) {
	from, to = low, high
	for _, t := range things {
		if t.at >= 0 && t.at < 1 {
			from = max(from, low+t.reach-vg.Length(t.at)*(high-low))
		}
	}
	for _, t := range things {
		if t.at > 0 && t.at <= 1 {
			to = min(to, from+(high-t.reach-from)/vg.Length(t.at))
		}
	}
	return from, to
}

// draw draws axes, grid and data into c, in this order but for the axes' texts.
func (p *chart) draw(c draw.Canvas) {
	p.x.settle()
	p.y.settle()
	label, small := textStyle(labelSize, false), textStyle(tickSize, false)
	padding, mark, line := axisPadding, tickLength, axisWidth
	if p.table {
		small = label
		padding, mark, line = 0, 0, 0
	}
	title := func(s scale) vg.Length {
		if s.Label == "" {
			return 0
		}
		return label.Height(s.Label) + labelGap
	}
	xs, ys := p.x.ticks(), p.y.ticks()
	widest := vg.Length(0)
	// Texts at the lower ends may reach below the other axis.
	var across, upward []around
	for _, t := range ys {
		widest = max(widest, small.Width(t.label))
		if v := p.y.at(t.value); v >= 0.5 {
			upward = append(upward, around{v, small.Height(t.label) / 2})
		}
	}
	for _, d := range p.dots {
		across = append(across, around{p.x.at(d.X), dotRadius})
		upward = append(upward, around{p.y.at(d.Y), dotRadius})
	}
	left := c.Min.X + title(p.y) + label.FontExtents().Descent + widest + small.Width(" ") + mark + line/2 + padding
	bottom := c.Min.Y + title(p.x) + small.Height("0") + mark + line/2 + padding
	in := area{draw.Crop(c, 0, 0, 0, 0), p}
	for _, t := range xs {
		if v := p.x.at(t.value); v >= 0.5 {
			across = append(across, around{v, small.Width(t.label) / 2})
		}
	}
	in.Min.X, in.Max.X = fit(left, c.Max.X, across)
	in.Min.Y, in.Max.Y = fit(bottom, c.Max.Y, upward)

	style := draw.LineStyle{Color: ink, Width: line}
	middle := in.Center()
	if p.x.Label != "" {
		label.XAlign, label.YAlign = draw.XCenter, draw.YBottom
		c.FillText(label, vg.Point{X: middle.X, Y: c.Min.Y + label.FontExtents().Descent}, p.x.Label)
	}
	if p.y.Label != "" {
		turned := label
		turned.XAlign, turned.YAlign, turned.Rotation = draw.XCenter, draw.YBottom, math.Pi/2
		c.FillText(turned, vg.Point{X: c.Min.X + label.Height(p.y.Label) - label.FontExtents().Descent, Y: middle.Y}, p.y.Label)
	}
	small.XAlign, small.YAlign = draw.XCenter, draw.YTop
	base := bottom - padding - line/2
	for _, t := range xs {
		x := in.X(p.x.at(t.value))
		c.FillText(small, vg.Point{X: x, Y: base - mark + small.FontExtents().Descent}, t.label)
		c.StrokeLine2(style, x, base-mark, x, base)
	}
	c.StrokeLine2(style, in.Min.X, base, in.Max.X, base)
	small.XAlign, small.YAlign = draw.XRight, draw.YCenter
	base = left - padding - line/2
	for _, t := range ys {
		y := in.Y(p.y.at(t.value))
		c.FillText(small, vg.Point{X: base - mark - small.Width(" "), Y: y + small.FontExtents().Descent}, t.label)
		c.StrokeLine2(style, base-mark, y, base, y)
	}
	c.StrokeLine2(style, base, in.Min.Y, base, in.Max.Y)

	grid := draw.LineStyle{Color: faint, Width: gridWidth}
	for _, t := range xs {
		if x := in.X(p.x.at(t.value)); p.verticals {
			c.StrokeLine2(grid, x, in.Min.Y, x, in.Max.Y)
		}
	}
	for _, t := range ys {
		if y := in.Y(p.y.at(t.value)); p.horizontals {
			c.StrokeLine2(grid, in.Min.X, y, in.Max.X, y)
		}
	}
	for _, m := range p.marks {
		m(in)
	}
}
