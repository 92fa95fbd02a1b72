package figure

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"slices"

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

func (b Bars) chart() (*chart, error) {
	if len(b.Names) == 0 {
		return nil, errors.New("no bars")
	}
	upward := slices.Clone(b.Names)
	slices.Reverse(upward)
	p := &chart{x: newScale(Axis{Label: b.Value}), y: newScale(Axis{Label: b.Name, Names: upward}), verticals: true}
	p.x.cover(0)
	n := vg.Length(len(b.Names) * max(1, len(b.Series)))
	thick := min(22, 0.75*(height-80)/n)
	for i, s := range b.Series {
		if len(s.Values) != len(b.Names) {
			return nil, fmt.Errorf("%d values and %d names", len(s.Values), len(b.Names))
		}
		for k, v := range s.Values {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("the bar of %q is not finite", b.Names[k])
			}
			p.x.cover(v)
		}
		offset := (vg.Length(len(b.Series)-1)/2 - vg.Length(i)) * thick
		p.marks = append(p.marks, func(a area) {
			for k, v := range s.Values {
				row := float64(len(s.Values) - 1 - k)
				low, high := a.at(Point{0, row}), a.at(Point{v, row})
				bottom := low.Y + offset - thick/2
				a.FillPolygon(b.color(i), []vg.Point{
					{X: low.X, Y: bottom}, {X: low.X, Y: bottom + thick}, {X: high.X, Y: bottom + thick}, {X: high.X, Y: bottom},
				})
			}
		})
	}
	return p, nil
}
