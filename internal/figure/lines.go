package figure

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Point is a point in units of the axes.
type Point struct{ X, Y float64 }

// Kind is how a series is drawn.
type Kind int

// The kinds of series.
const (
	Line  Kind = iota
	Guide      // a thin dashed grey line to compare with
	Dots
	LineDots // a line with a dot at each point
	Area     // filled down to 0; steps when its points say so
)

// Series is a list of points. Those with a coordinate that is not finite are
// left out.
type Series struct {
	Name   string
	Kind   Kind
	Points []Point
}

// Lines is a figure of curves, dots and areas.
type Lines struct {
	Title string
	// Alt describes the figure; empty means title and series.
	Alt    string
	X, Y   Axis
	Series []Series
}

// Description implements [Figure].
func (l Lines) Description() string {
	if l.Alt != "" {
		return l.Alt
	}
	text := fmt.Sprintf("%s. %s over %s.", l.Title, l.Y.Label, l.X.Label)
	for _, s := range l.Series {
		if s.Name != "" {
			text += fmt.Sprintf(" Series: %s.", s.Name)
		}
	}
	return text
}

func (l Lines) title() string { return l.Title }

func (l Lines) entries() []entry {
	var list []entry
	at := 0
	for _, s := range l.Series {
		sg := s.sign(at)
		if s.Kind != Guide {
			at++
		}
		if s.Name != "" {
			list = append(list, entry{s.Name, sg})
		}
	}
	return list
}

// sign is how series number at, guides not counted, looks. When the colours
// are used up, dashes tell the series apart.
func (s Series) sign(at int) sign {
	if s.Kind == Guide {
		return sign{color: guide, dashes: []vg.Length{3, 3}}
	}
	c := palette[at%len(palette)]
	sg := sign{color: c, dots: s.Kind == Dots}
	switch at / len(palette) {
	case 0:
	case 1:
		sg.dashes = []vg.Length{6, 3}
	default:
		sg.dashes = []vg.Length{2, 2}
	}
	if s.Kind == Area {
		sg.fill = color.NRGBA{R: c.R, G: c.G, B: c.B, A: 0x66}
	}
	return sg
}

func finite(points []Point) []Point {
	list := make([]Point, 0, len(points))
	for _, p := range points {
		if !math.IsNaN(p.X) && !math.IsNaN(p.Y) && !math.IsInf(p.X, 0) && !math.IsInf(p.Y, 0) {
			list = append(list, p)
		}
	}
	return list
}

func (l Lines) chart() (*chart, error) {
	p := &chart{x: newScale(l.X), y: newScale(l.Y), verticals: true, horizontals: true}
	at := 0
	for _, s := range l.Series {
		sg := s.sign(at)
		if s.Kind != Guide {
			at++
		}
		points := finite(s.Points)
		if len(points) == 0 {
			continue
		}
		for _, v := range points {
			p.x.cover(v.X)
			p.y.cover(v.Y)
		}
		if s.Kind == Area {
			p.y.cover(0)
			outline := append([]Point{{X: points[0].X}}, points...)
			outline = append(outline, Point{X: points[len(points)-1].X})
			p.marks = append(p.marks, func(a area) { a.FillPolygon(sg.fill, a.ClipPolygonXY(a.all(outline))) })
		}
		if s.Kind != Dots {
			style := draw.LineStyle{Color: sg.color, Width: lineWidth, Dashes: sg.dashes}
			if s.Kind == Guide {
				style.Width = 1.2
			}
			p.marks = append(p.marks, func(a area) { a.StrokeLines(style, a.ClipLinesXY(a.all(points))...) })
		}
		if s.Kind == Dots || s.Kind == LineDots {
			p.dots = append(p.dots, points...)
			style := draw.GlyphStyle{Color: sg.color, Radius: dotRadius, Shape: draw.CircleGlyph{}}
			p.marks = append(p.marks, func(a area) {
				for _, v := range points {
					a.DrawGlyph(style, a.at(v))
				}
			})
		}
	}
	return p, nil
}
