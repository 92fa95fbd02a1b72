package figure

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
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

func finite(points []Point) plotter.XYs {
	xys := make(plotter.XYs, 0, len(points))
	for _, p := range points {
		if !math.IsNaN(p.X) && !math.IsNaN(p.Y) && !math.IsInf(p.X, 0) && !math.IsInf(p.Y, 0) {
			xys = append(xys, plotter.XY{X: p.X, Y: p.Y})
		}
	}
	return xys
}

func (l Lines) plot() (*plot.Plot, error) {
	p := newPlot(l.X, l.Y)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = faint, faint
	grid.Vertical.Width, grid.Horizontal.Width = 0.6, 0.6
	p.Add(grid)
	at := 0
	for _, s := range l.Series {
		sg := s.sign(at)
		if s.Kind != Guide {
			at++
		}
		xys := finite(s.Points)
		if len(xys) == 0 {
			continue
		}
		if s.Kind == Area {
			outline := append(plotter.XYs{{X: xys[0].X, Y: 0}}, xys...)
			outline = append(outline, plotter.XY{X: xys[len(xys)-1].X, Y: 0})
			area, err := plotter.NewPolygon(outline)
			if err != nil {
				return nil, err
			}
			area.Color, area.LineStyle.Width = sg.fill, 0
			p.Add(area)
		}
		if s.Kind != Dots {
			line, err := plotter.NewLine(xys)
			if err != nil {
				return nil, err
			}
			line.Color, line.Width, line.Dashes = sg.color, lineWidth, sg.dashes
			if s.Kind == Guide {
				line.Width = 1.2
			}
			p.Add(line)
		}
		if s.Kind == Dots || s.Kind == LineDots {
			dots, err := plotter.NewScatter(xys)
			if err != nil {
				return nil, err
			}
			dots.GlyphStyle = draw.GlyphStyle{Color: sg.color, Radius: 3, Shape: draw.CircleGlyph{}}
			p.Add(dots)
		}
	}
	settle(p, l.X, l.Y)
	return p, nil
}
