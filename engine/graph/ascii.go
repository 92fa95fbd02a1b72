package graph

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	boxHeight = 3
	// maxCells bounds the memory of a drawing. Above it, a component is
	// listed instead of drawn.
	maxCells = 1 << 24
)

// ASCII draws the view in boxes of characters, dependencies above dependents
// and components one below another. Lines are padded to the width of their
// component; all end in a newline.
//
// A component whose drawing would take more than some 16 million characters
// is listed instead, a node and its dependencies a line.
func (v *View) ASCII() string { return v.draw(false) }

// ANSI is ASCII with the boxes in the colours of their states, by the
// terminal's own palette: fresh green, stale yellow, failed red, frozen blue,
// unknown grey.
func (v *View) ANSI() string { return v.draw(true) }

// stateColour is the SGR parameter of each state.
var stateColour = [...]string{Unknown: "90", Fresh: "32", Stale: "33", Failed: "31", Frozen: "34"}

func (v *View) draw(coloured bool) string {
	if len(v.Nodes) == 0 {
		return "\n"
	}
	names := make([]string, len(v.Nodes))
	for i, n := range v.Nodes {
		names[i] = printable(n)
	}
	var b strings.Builder
	for _, p := range v.parts() {
		v.drawPart(&b, p, names, coloured)
	}
	return b.String()
}

// printable replaces what would break the grid or steer the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '?'
		}
		return r
	}, s)
}

// frame is a box on a canvas.
type frame struct {
	x, y, width int
	state       State
}

func (v *View) drawPart(b *strings.Builder, p part, names []string, coloured bool) {
	geo := geometry{height: boxHeight, yspace: boxHeight}
	for _, m := range p.members {
		geo.width = append(geo.width, float64(utf8.RuneCountInString(names[m])+4)) // "| " and " |"
	}
	geo.xspace = slices.Min(geo.width)
	geo.bend = median(geo.width)
	lay := arrange(len(p.members), p.edges, geo)

	// Boxes hang from their centre's height, lines aim at the middle row: the
	// shape DVC's drawings have.
	low, high := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	cover := func(x, y float64) {
		low.x, low.y = min(low.x, x), min(low.y, y)
		high.x, high.y = max(high.x, x), max(high.y, y)
	}
	for i, c := range lay.centre {
		cover(c.x-geo.width[i]/2, c.y)
		cover(c.x+geo.width[i]/2, c.y+boxHeight)
	}
	for i, line := range lay.line {
		first, last := line[0], line[len(line)-1]
		from, to := line[1], line[len(line)-2]
		line[0] = leave(first, from, geo.width[p.edges[i][0]])
		line[len(line)-1] = leave(last, to, geo.width[p.edges[i][1]])
		for _, q := range line {
			cover(q.x, q.y)
		}
	}
	cols := int(math.Ceil(math.Ceil(high.x)-math.Floor(low.x))) + 1
	rows := round(high.y - low.y)
	if cols > maxCells/max(rows, 1) {
		v.list(b, p, names, coloured)
		return
	}

	c := newCanvas(cols, rows)
	for _, line := range lay.line {
		for k := 1; k < len(line); k++ {
			c.line(round(line[k-1].x-low.x), round(line[k-1].y-low.y), round(line[k].x-low.x), round(line[k].y-low.y))
		}
	}
	frames := make([]frame, len(p.members))
	for i, m := range p.members {
		f := frame{
			x:     round(lay.centre[i].x - geo.width[i]/2 - low.x),
			y:     round(lay.centre[i].y - low.y),
			width: int(geo.width[i]),
			state: v.state(m),
		}
		c.box(f.x, f.y, f.width, names[m])
		frames[i] = f
	}
	if !coloured {
		frames = nil
	}
	writeCanvas(b, c, frames)
}

// writeCanvas writes the rows of c, with each of the frames in its colour.
func writeCanvas(b *strings.Builder, c *canvas, frames []frame) {
	slices.SortFunc(frames, func(a, b frame) int {
		if a.y != b.y {
			return a.y - b.y
		}
		return a.x - b.x
	})
	for y := range c.rows {
		for len(frames) > 0 && frames[0].y+boxHeight <= y {
			frames = frames[1:] // frames of a layer share their rows
		}
		done := 0
		for _, f := range frames {
			if f.y > y {
				break
			}
			c.row(b, y, done, f.x)
			b.WriteString("\x1b[" + colourOf(f.state) + "m")
			done = min(f.x+f.width, c.cols)
			c.row(b, y, f.x, done)
			b.WriteString("\x1b[0m")
		}
		c.row(b, y, done, c.cols)
		b.WriteByte('\n')
	}
}

func colourOf(s State) string {
	if int(s) < len(stateColour) {
		return stateColour[s]
	}
	return stateColour[Unknown]
}

// leave returns where a line from the centre of a box to another point crosses
// the box's border, one row above or below the centre or half the width to a
// side, rounded down.
//
// Every product is converted by itself, so that no compiler may fuse it with
// a sum: halves decide about the character a line goes through.
func leave(centre, to point, width float64) point {
	dx, dy := to.x-centre.x, to.y-centre.y
	right, bottom := math.Floor(width/2), 1.0
	left, top := -right, -bottom
	sides := [4][2]point{
		{{left, top}, {right, top}},
		{{right, top}, {right, bottom}},
		{{left, bottom}, {right, bottom}},
		{{left, bottom}, {left, top}},
	}
	cross := func(ax, ay, bx, by float64) float64 { return float64(ax*by) - float64(ay*bx) }
	for _, s := range sides {
		sx, sy := s[1].x-s[0].x, s[1].y-s[0].y
		det := cross(dx, dy, sx, sy)
		if det == 0 {
			continue
		}
		along := cross(s[0].x, s[0].y, dx, dy) / det
		t := cross(s[0].x, s[0].y, sx, sy) / det
		if along >= 0 && along <= 1 && t >= 0 && t <= 1 {
			return point{float64(t*dx) + centre.x, float64(t*dy) + centre.y}
		}
	}
	return centre
}

// median is the upper median.
func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// list writes a component without layout.
func (v *View) list(b *strings.Builder, p part, names []string, coloured bool) {
	needs := make([][]int, len(p.members))
	for _, e := range p.edges {
		needs[e[1]] = append(needs[e[1]], e[0])
	}
	for i, m := range p.members {
		if coloured {
			b.WriteString("\x1b[" + colourOf(v.state(m)) + "m")
		}
		b.WriteString(names[m])
		if coloured {
			b.WriteString("\x1b[0m")
		}
		for k, n := range needs[i] {
			if k == 0 {
				b.WriteString(" <- ")
			} else {
				b.WriteString(", ")
			}
			b.WriteString(names[p.members[n]])
		}
		b.WriteByte('\n')
	}
}
