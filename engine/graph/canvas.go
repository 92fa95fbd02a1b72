package graph

import (
	"math"
	"strings"
)

// canvas is a grid of characters.
type canvas struct {
	cols, rows int
	cell       []rune
}

func newCanvas(cols, rows int) *canvas {
	c := &canvas{cols: cols, rows: rows, cell: make([]rune, cols*rows)}
	for i := range c.cell {
		c.cell[i] = ' '
	}
	return c
}

// set writes one character; places outside are ignored.
func (c *canvas) set(x, y int, r rune) {
	if x >= 0 && x < c.cols && y >= 0 && y < c.rows {
		c.cell[y*c.cols+x] = r
	}
}

// line draws from one place to another, one character for every step along
// the longer axis. Which end is the start decides how halves are rounded: the
// left end of flat lines, the upper end of steep ones.
func (c *canvas) line(x0, y0, x1, y1 int) {
	if x0 > x1 {
		x0, y0, x1, y1 = x1, y1, x0, y0
	}
	dx, dy := x1-x0, y1-y0
	if dx >= max(dy, -dy) {
		for i := 0; i <= dx; i++ {
			c.set(x0+i, y0+share(i, dy, dx), '*')
		}
		return
	}
	if dy < 0 {
		x0, y0, dx, dy = x1, y1, -dx, -dy
	}
	for i := 0; i <= dy; i++ {
		c.set(x0+share(i, dx, dy), y0+i, '*')
	}
}

// share returns i*part/whole, rounded to the nearest integer, halves to even.
func share(i, part, whole int) int {
	if whole == 0 {
		return 0
	}
	return round(float64(i*part) / float64(whole))
}

// box draws a frame three rows high with a text inside.
func (c *canvas) box(x, y, width int, text string) {
	for i := range width {
		edge := '-'
		if i == 0 || i == width-1 {
			edge = '+'
		}
		c.set(x+i, y, edge)
		c.set(x+i, y+2, edge)
	}
	c.set(x, y+1, '|')
	c.set(x+width-1, y+1, '|')
	c.set(x+1, y+1, ' ')
	c.set(x+width-2, y+1, ' ')
	i := 2
	for _, r := range text {
		c.set(x+i, y+1, r)
		i++
	}
}

// row returns the characters x0 to x1-1 of a row.
func (c *canvas) row(b *strings.Builder, y, x0, x1 int) {
	for _, r := range c.cell[y*c.cols+x0 : y*c.cols+x1] {
		b.WriteRune(r)
	}
}

func round(f float64) int { return int(math.RoundToEven(f)) }
