package figure

import (
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// BarSeries has a value for each name of a [Bars].
type BarSeries struct {
	Name   string
	Values []float64
}

// Bars is a figure of horizontal bars, the first name on top.
type Bars struct {
	Title string
	// Alt describes the figure; empty means title and series.
	Alt string
	// Value labels the axis of the values, Name that of the names.
	Value, Name string
	Names       []string
	Series      []BarSeries
}

// Description implements [Figure].
func (b Bars) Description() string {
	if b.Alt != "" {
		return b.Alt
	}
	return fmt.Sprintf("%s. %s by %s, %d bars.", b.Title, b.Value, b.Name, len(b.Names))
}

func (b Bars) title() string { return b.Title }

func (b Bars) entries() []entry {
	var list []entry
	for i, s := range b.Series {
		if s.Name != "" {
			list = append(list, entry{s.Name, sign{fill: b.color(i)}})
		}
	}
	return list
}

func (Bars) color(i int) color.Color { return palette[i%len(palette)] }

func (b Bars) plot() (*plot.Plot, error) {
	upward := slices.Clone(b.Names)
	slices.Reverse(upward)
	x, y := Axis{Label: b.Value}, Axis{Label: b.Name, Names: upward}
	p := newPlot(x, y)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Vertical.Width, grid.Horizontal.Width = faint, 0.6, 0
	p.Add(grid)
	n := vg.Length(max(1, len(b.Names)*len(b.Series)))
	thick := min(22, 0.75*(height-80)/n)
	for i, s := range b.Series {
		if len(s.Values) != len(b.Names) {
			return nil, fmt.Errorf("%d values and %d names", len(s.Values), len(b.Names))
		}
		values := plotter.Values(slices.Clone(s.Values))
		slices.Reverse(values)
		bars, err := plotter.NewBarChart(values, thick)
		if err != nil {
			return nil, err
		}
		bars.Horizontal, bars.Color, bars.LineStyle.Width = true, b.color(i), 0
		bars.Offset = (vg.Length(len(b.Series)-1)/2 - vg.Length(i)) * thick
		p.Add(bars)
	}
	settle(p, x, y)
	if p.X.Min > 0 {
		p.X.Min = 0
	}
	return p, nil
}
