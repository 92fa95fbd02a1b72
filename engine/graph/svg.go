package graph

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Measures of the SVG drawing, in pixels.
const (
	svgChar    = 7.83 // advance of a character at 13 px in common monospaced fonts
	svgHeight  = 34.0 // of a box
	svgXSpace  = 28.0
	svgYSpace  = 46.0
	svgMargin  = 24.0
	svgGap     = 40.0   // between components
	svgRow     = 1100.0 // components are set side by side up to this width
	svgBend    = 6.0    // room of an edge that passes a layer
	svgLegendH = 34.0
)

// palette is the colours of one scheme. They are written out wherever they are
// used: many viewers know nothing of CSS variables.
type palette struct {
	page, ink, line, mute string
	fill, edge            [len(stateNames)]string
}

var (
	lightColours = palette{
		page: "#ffffff", ink: "#1f2733", line: "#8a94a3", mute: "#5c6675",
		fill: [...]string{Unknown: "#f2f4f7", Fresh: "#e3f5e8", Stale: "#fdf3d3", Failed: "#fde4e1", Frozen: "#e2eefc"},
		edge: [...]string{Unknown: "#a9b2bf", Fresh: "#3a9a57", Stale: "#c29200", Failed: "#cf3a2b", Frozen: "#3c7fd0"},
	}
	darkColours = palette{
		page: "#14181e", ink: "#e4e8ee", line: "#7d8796", mute: "#98a2b0",
		fill: [...]string{Unknown: "#242a33", Fresh: "#17331f", Stale: "#3a3010", Failed: "#401d19", Frozen: "#172b45"},
		edge: [...]string{Unknown: "#5b6675", Fresh: "#4fb56e", Stale: "#d8ab2a", Failed: "#e8695b", Frozen: "#6aa5ec"},
	}
)

// rules writes the style rules that give a scheme its colours.
func (p *palette) rules(b *strings.Builder) {
	rule := func(selector, style string) { b.WriteString(".flow-dag " + selector + "{" + style + "}\n") }
	rule(".page", "fill:"+p.page)
	rule("text", "fill:"+p.ink)
	rule(".legend text", "fill:"+p.mute)
	rule(".edge", "stroke:"+p.line)
	rule(".head", "fill:"+p.line)
	for s, name := range stateNames {
		rule("."+name, "fill:"+p.fill[s]+";stroke:"+p.edge[s])
	}
}

func svgStyle(b *strings.Builder) {
	b.WriteString("<style>\n" +
		".flow-dag text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace}\n" +
		".flow-dag .legend text{font-size:12px}\n" +
		".flow-dag .edge{fill:none;stroke-width:1.4}\n" +
		".flow-dag rect{stroke-width:1.4}\n")
	lightColours.rules(b)
	b.WriteString("@media (prefers-color-scheme:dark){\n")
	darkColours.rules(b)
	b.WriteString("}\n</style>\n")
}

// SVG draws the view as one self-contained SVG document: the layered layout of
// ASCII with rounded boxes and arrows, components side by side in rows. States
// are shown in colour, explained by a legend and, for readers that use it, by
// text. Colours follow the reader's light or dark scheme. The document holds
// no script and refers to nothing outside.
func (v *View) SVG() string {
	d := &svgDrawing{view: v}
	d.pack()
	d.legend()

	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" class="flow-dag" role="img" aria-label="Pipeline graph" width="`)
	w, h := px(math.Ceil(d.width)), px(math.Ceil(d.height))
	b.WriteString(w + `" height="` + h + `" viewBox="0 0 ` + w + ` ` + h + `">` + "\n")
	svgStyle(&b)
	b.WriteString(`<defs><marker id="flow-dag-head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">` +
		`<path class="head" d="M0 1L10 5L0 9z"/></marker></defs>` + "\n" +
		`<rect class="page" width="100%" height="100%"/>` + "\n")
	b.WriteString(d.edges.String())
	b.WriteString(d.boxes.String())
	b.WriteString("</svg>\n")
	return b.String()
}

type svgDrawing struct {
	view          *View
	edges, boxes  strings.Builder
	width, height float64
}

// pack draws the components from left to right, row by row.
func (d *svgDrawing) pack() {
	x, y, tall := svgMargin, svgMargin, 0.0
	for _, p := range d.view.parts() {
		lay, geo := d.layout(p)
		low, high := extent(lay, geo)
		w, h := high.x-low.x, high.y-low.y
		if x > svgMargin && x+w > svgRow {
			x, y, tall = svgMargin, y+tall+svgGap, 0
		}
		d.part(p, lay, geo, point{x - low.x, y - low.y})
		d.width = max(d.width, x+w+svgMargin)
		d.height = max(d.height, y+h+svgMargin)
		x += w + svgGap
		tall = max(tall, h)
	}
	d.width = max(d.width, 2*svgMargin)
	d.height = max(d.height, 2*svgMargin)
}

func (d *svgDrawing) layout(p part) (layout, geometry) {
	geo := geometry{height: svgHeight, xspace: svgXSpace, yspace: svgYSpace, bend: svgBend}
	for _, m := range p.members {
		chars := utf8.RuneCountInString(d.view.Nodes[m])
		geo.width = append(geo.width, math.Ceil(float64(chars)*svgChar)+26)
	}
	return arrange(len(p.members), p.edges, geo), geo
}

func extent(lay layout, geo geometry) (low, high point) {
	low, high = point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	cover := func(x, y float64) {
		low.x, low.y = min(low.x, x), min(low.y, y)
		high.x, high.y = max(high.x, x), max(high.y, y)
	}
	for i, c := range lay.centre {
		cover(c.x-geo.width[i]/2, c.y-geo.height/2)
		cover(c.x+geo.width[i]/2, c.y+geo.height/2)
	}
	for _, line := range lay.line {
		for _, q := range line {
			cover(q.x, q.y)
		}
	}
	return low, high
}

func (d *svgDrawing) part(p part, lay layout, geo geometry, by point) {
	for _, line := range lay.line {
		d.edge(line, by)
	}
	for i, m := range p.members {
		c, w := lay.centre[i], geo.width[i]
		state := d.view.state(m)
		name := escapeXML(d.view.Nodes[m])
		d.boxes.WriteString(`<g class="node"><title>` + name)
		if state != Unknown {
			d.boxes.WriteString(" (" + state.String() + ")")
		}
		d.boxes.WriteString(`</title><rect class="` + state.String() + `" x="` + px(c.x-w/2+by.x) +
			`" y="` + px(c.y-geo.height/2+by.y) + `" width="` + px(w) + `" height="` + px(geo.height) +
			`" rx="7"/><text x="` + px(c.x+by.x) + `" y="` + px(c.y+by.y+4.5) + `" text-anchor="middle">` + name + "</text></g>\n")
	}
}

// edge draws a line that leaves boxes and layers upright and swings between
// them. Turned edges run upward, from the top of their source.
func (d *svgDrawing) edge(line []point, by point) {
	half := svgHeight / 2
	if line[0].y > line[len(line)-1].y {
		half = -half
	}
	first, last := line[0], line[len(line)-1]
	b := &d.edges
	x, y := first.x+by.x, first.y+half+by.y
	b.WriteString(`<path class="edge" marker-end="url(#flow-dag-head)" d="M` + px(x) + " " + px(y))
	swing := func(tx, ty float64) {
		if tx == x {
			b.WriteString("V" + px(ty))
		} else {
			mid := (y + ty) / 2
			b.WriteString("C" + px(x) + " " + px(mid) + " " + px(tx) + " " + px(mid) + " " + px(tx) + " " + px(ty))
		}
		x, y = tx, ty
	}
	for _, q := range line[1 : len(line)-1] {
		swing(q.x+by.x, q.y-half+by.y)
		swing(q.x+by.x, q.y+half+by.y)
	}
	swing(last.x+by.x, last.y-half+by.y)
	b.WriteString("\"/>\n")
}

// legend explains the states that occur; a view without states has none.
func (d *svgDrawing) legend() {
	if len(d.view.State) == 0 {
		return
	}
	var present [len(stateNames)]bool
	for i := range d.view.Nodes {
		s := d.view.state(i)
		if int(s) >= len(present) {
			s = Unknown
		}
		present[s] = true
	}
	x, y := svgMargin, d.height
	d.boxes.WriteString(`<g class="legend">` + "\n")
	for _, s := range []State{Fresh, Stale, Failed, Frozen, Unknown} {
		if !present[s] {
			continue
		}
		name := s.String()
		d.boxes.WriteString(`<rect class="` + name + `" x="` + px(x) + `" y="` + px(y) + `" width="14" height="14" rx="3"/><text x="` +
			px(x+21) + `" y="` + px(y+11.5) + `">` + name + "</text>\n")
		x += 21 + float64(len(name))*7.3 + 22
	}
	d.boxes.WriteString("</g>\n")
	d.width = max(d.width, x-22+svgMargin)
	d.height += svgLegendH
}

// px is a coordinate with at most one decimal.
func px(f float64) string {
	return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64)
}

// escapeXML escapes text for XML and replaces what XML cannot hold.
func escapeXML(s string) string {
	var b strings.Builder
	for _, r := range s { // invalid UTF-8 comes as U+FFFD
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&quot;")
		case r < ' ' || r == 0x7f || r == 0xfffe || r == 0xffff:
			b.WriteRune('\ufffd')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
