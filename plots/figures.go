package plots

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flowrepro/flow/internal/figure"
	"github.com/flowrepro/flow/internal/python"
)

// Bounds on what is drawn: more cannot be told apart.
const (
	maxPoints  = 1000
	maxNames   = 60
	maxClasses = 40
)

// Figures returns the plot as figures: one, but for confusion matrices, which
// are one for each revision.
func (p *Plot) Figures() ([]figure.Figure, error) {
	switch p.Template {
	case "confusion", "confusion_normalized":
		var list []figure.Figure
		for _, rev := range p.Revisions {
			f, err := p.matrix(rev)
			if err != nil {
				return nil, err
			}
			list = append(list, f)
		}
		return list, nil
	case "bar_horizontal", "bar_horizontal_sorted":
		return []figure.Figure{p.bars()}, nil
	}
	return []figure.Figure{p.lines()}, nil
}

// text is a value as a name.
func text(v any) string {
	if v == nil {
		return "-"
	}
	return python.Str(v)
}

// distinct returns the values of a field, in order of their text, numbers in
// order of their size.
func (p *Plot) distinct(field string) []string {
	seen := map[string]bool{}
	var list []string
	for _, r := range p.Rows {
		v, _ := r.Get(field)
		if t := text(v); !seen[t] {
			seen[t] = true
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b string) int {
		x, okX := toFloat(a)
		y, okY := toFloat(b)
		if okX && okY && x != y {
			return cmp.Compare(x, y)
		}
		return cmp.Compare(a, b)
	})
	return list
}

func (p *Plot) matrix(rev string) (figure.Figure, error) {
	columns, rows := p.distinct(p.X), p.distinct(p.Y)
	if len(columns) > maxClasses || len(rows) > maxClasses {
		return nil, fmt.Errorf("plot '%s': %d and %d classes are too many to draw: want at most %d", p.ID, len(columns), len(rows), maxClasses)
	}
	counts := map[[2]string]int{}
	byColumn := map[string]int{}
	most := 1
	for _, r := range p.Rows {
		if v, _ := r.Get(revField); v != rev {
			continue
		}
		x, _ := r.Get(p.X)
		y, _ := r.Get(p.Y)
		k := [2]string{text(x), text(y)}
		counts[k]++
		byColumn[k[0]]++
		most = max(most, counts[k])
	}
	m := figure.Matrix{Title: p.Title, X: p.XLabel, Y: p.YLabel, Columns: columns, Rows: rows}
	if len(p.Revisions) > 1 {
		m.Title += " (" + rev + ")"
	}
	for _, y := range rows {
		var line []figure.Cell
		for _, x := range columns {
			n := counts[[2]string{x, y}]
			share := float64(n) / float64(max(1, byColumn[x]))
			c := figure.Cell{Text: strconv.Itoa(n), Share: float64(n) / float64(most)}
			if p.Template == "confusion_normalized" {
				c.Text, c.Share = strconv.FormatFloat(share, 'f', 3, 64), share
			} else if len(columns) <= 5 {
				c.Note = fmt.Sprintf("%.1f %% of %s", 100*share, x)
			}
			line = append(line, c)
		}
		m.Cells = append(m.Cells, line)
	}
	return m, nil
}

// series parts the rows by revision and source.
func (p *Plot) series() (names []string, rows [][]Row) {
	at := map[string]int{}
	for _, r := range p.Rows {
		rev, _ := r.Get(revField)
		name := text(rev)
		var of []string
		if p.severalFiles {
			file, _ := r.Get(fileField)
			of = append(of, text(file))
		}
		if p.severalFields {
			field, _ := r.Get(nameField)
			of = append(of, text(field))
		}
		if of != nil {
			if len(p.Revisions) > 1 {
				of = append([]string{name}, of...)
			}
			name = strings.Join(of, " ")
		}
		i, ok := at[name]
		if !ok {
			i = len(names)
			at[name] = i
			names, rows = append(names, name), append(rows, nil)
		}
		rows[i] = append(rows[i], r)
	}
	return names, rows
}

// axis returns an axis for a field and how its values lie on it.
func (p *Plot) axis(field, label string) (figure.Axis, func(v any) (float64, bool)) {
	if p.axisType(field) == "quantitative" {
		return figure.Axis{Label: label}, toFloat
	}
	names := p.distinct(field)
	at := map[string]float64{}
	for i, n := range names {
		at[n] = float64(i)
	}
	return figure.Axis{Label: label, Names: names}, func(v any) (float64, bool) { f, ok := at[text(v)]; return f, ok }
}

func (p *Plot) lines() figure.Figure {
	xAxis, x := p.axis(p.X, p.XLabel)
	yAxis, y := p.axis(p.Y, p.YLabel)
	f := figure.Lines{Title: p.Title, X: xAxis, Y: yAxis}
	names, rows := p.series()
	for i, name := range names {
		s := figure.Series{Name: name}
		switch {
		case p.Template == "scatter" || p.Template == "scatter_jitter":
			s.Kind = figure.Dots
		case len(rows[i]) <= 20:
			s.Kind = figure.LineDots
		}
		var points []figure.Point
		for _, r := range rows[i] {
			vx, _ := r.Get(p.X)
			vy, _ := r.Get(p.Y)
			px, okX := x(vx)
			py, okY := y(vy)
			if okX && okY {
				points = append(points, figure.Point{X: px, Y: py})
			}
		}
		if s.Kind != figure.Dots {
			// A line goes from left to right, whatever the order of rows.
			slices.SortStableFunc(points, func(a, b figure.Point) int { return cmp.Compare(a.X, b.X) })
		}
		for k, pt := range points {
			if n := len(points); n <= maxPoints || k == 0 || k*(maxPoints-1)/(n-1) != (k-1)*(maxPoints-1)/(n-1) {
				s.Points = append(s.Points, pt)
			}
		}
		f.Series = append(f.Series, s)
	}
	return f
}

func (p *Plot) bars() figure.Figure {
	labels := p.distinct(p.Y)
	names, rows := p.series()
	values := make([]map[string]float64, len(names))
	for i := range names {
		values[i] = map[string]float64{}
		for _, r := range rows[i] {
			vx, _ := r.Get(p.X)
			vy, _ := r.Get(p.Y)
			if x, ok := toFloat(vx); ok {
				values[i][text(vy)] = x
			}
		}
	}
	if p.Template == "bar_horizontal_sorted" && len(values) > 0 {
		slices.SortStableFunc(labels, func(a, b string) int { return cmp.Compare(values[0][b], values[0][a]) })
	}
	title := p.Title
	if len(labels) > maxNames {
		title += fmt.Sprintf(" (first %d of %d)", maxNames, len(labels))
		labels = labels[:maxNames]
	}
	f := figure.Bars{Title: title, Value: p.XLabel, Name: p.YLabel, Names: labels}
	for i, name := range names {
		s := figure.BarSeries{Name: name}
		for _, l := range labels {
			s.Values = append(s.Values, values[i][l])
		}
		f.Series = append(f.Series, s)
	}
	return f
}
