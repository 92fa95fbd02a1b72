package figure

import (
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Cell is a field of a matrix.
type Cell struct {
	// Text and Note are written into it, the note smaller and below.
	Text, Note string
	// Share, 0 to 1, is the depth of its colour.
	Share float64
}

// Matrix is a table of counts, coloured by share.
type Matrix struct {
	Title string
	// Alt describes the figure; empty means title and cells.
	Alt string
	// X labels the columns and Y the rows.
	X, Y          string
	Columns, Rows []string
	// Cells are rows from the top of cells from the left; there are as many
	// as there are names.
	Cells [][]Cell
}

// Description implements [Figure].
func (m Matrix) Description() string {
	if m.Alt != "" {
		return m.Alt
	}
	text := m.Title + "."
	if len(m.Rows)*len(m.Columns) <= 16 {
		for i, row := range m.Cells {
			for k, c := range row {
				text += fmt.Sprintf(" %s %s, %s %s: %s %s.", m.Y, m.Rows[i], m.X, m.Columns[k], c.Text, c.Note)
			}
		}
	}
	return text
}

func (m Matrix) title() string    { return m.Title }
func (m Matrix) entries() []entry { return nil }

func (m Matrix) chart() (*chart, error) {
	if len(m.Cells) != len(m.Rows) {
		return nil, fmt.Errorf("%d rows of cells and %d names", len(m.Cells), len(m.Rows))
	}
	for _, row := range m.Cells {
		if len(row) != len(m.Columns) {
			return nil, fmt.Errorf("%d cells in a row and %d names", len(row), len(m.Columns))
		}
	}
	// The first row on top, as a table is read.
	upward := slices.Clone(m.Rows)
	slices.Reverse(upward)
	return &chart{
		x: newScale(Axis{Label: m.X, Names: m.Columns}), y: newScale(Axis{Label: m.Y, Names: upward}),
		table: true, marks: []func(area){m.draw},
	}, nil
}

// Colours of text on cells: they do not follow the page's theme, since the
// cells do not.
var (
	onLight = color.RGBA{R: 0x10, G: 0x1c, B: 0x28, A: 0xff}
	onDark  = color.White
)

// draw draws the cells.
func (m Matrix) draw(a area) {
	n := len(m.Cells)
	for i, row := range m.Cells {
		for k, cell := range row {
			x, y := float64(k), float64(n-1-i)
			low, at, high := a.at(Point{x - 0.5, y - 0.5}), a.at(Point{x, y}), a.at(Point{x + 0.5, y + 0.5})
			x0, x1, y0, y1 := low.X+1, high.X-1, low.Y+1, high.Y-1
			a.FillPolygon(shade(cell.Share), []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
			size := max(6, min(18, (x1-x0)/7, (y1-y0)/4))
			style := textStyle(size, true)
			style.XAlign, style.YAlign = draw.XCenter, draw.YCenter
			style.Color = onLight
			if cell.Share > 0.55 {
				style.Color = onDark
			}
			if cell.Note == "" || y1-y0 < 3*size {
				a.FillText(style, at, cell.Text)
				continue
			}
			a.FillText(style, vg.Point{X: at.X, Y: at.Y + 0.6*size}, cell.Text)
			style.Font.Size, style.Font.Weight = 0.7*size, 0
			if wide := style.Width(cell.Note); wide > x1-x0-6 {
				style.Font.Size *= max(0.3, (x1-x0-6)/wide)
			}
			a.FillText(style, vg.Point{X: at.X, Y: at.Y - 0.8*size}, cell.Note)
		}
	}
}

// shade goes from nearly white to a dark blue.
func shade(share float64) color.Color {
	share = min(max(share, 0), 1)
	blend := func(from, to uint8) uint8 {
		return uint8(float64(from) + float64(share*(float64(to)-float64(from))))
	}
	return color.RGBA{R: blend(0xe9, 0x0b), G: blend(0xf1, 0x5a), B: blend(0xf8, 0x94), A: 0xff}
}
