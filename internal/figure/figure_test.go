package figure

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func examples() map[string]Figure {
	wave := func(shift float64) (list []Point) {
		for i := range 200 {
			x := float64(i) / 20
			list = append(list, Point{x, math.Sin(x+shift) * 1e6})
		}
		return list
	}
	var many []Series
	for k := range 14 {
		many = append(many, Series{Name: fmt.Sprintf("series number %d", k), Points: wave(float64(k) / 3)})
	}
	return map[string]Figure{
		"many":  Lines{Title: "Many series", X: Axis{Label: "x"}, Y: Axis{Label: "y"}, Series: many},
		"kinds": Lines{Title: "Kinds <&> \"quoted\"", X: Axis{Label: "x"}, Y: Axis{Label: "y"}, Series: []Series{{"dots", Dots, []Point{{1, 2}, {2, 1}}}, {"dotted", LineDots, []Point{{1, 1}, {2, 2}}}, {"area", Area, []Point{{1, 0.5}, {2, 0.5}}}, {"guide", Guide, []Point{{1, 0}, {2, 2}}}}},
		"names": Lines{Title: "Names", X: Axis{Label: "x", Names: []string{"one", "two", strings.Repeat("long", 20)}}, Y: Axis{Label: "y"}, Series: []Series{{"s", Line, []Point{{0, 1}, {2, 3}}}}},
		"empty": Lines{Title: "Empty", Series: []Series{{"not finite", Line, []Point{{math.NaN(), 1}, {1, math.Inf(1)}}}, {Name: "none"}}},
		"flat":  Lines{Title: "Flat", Series: []Series{{"s", Line, []Point{{1, 1}, {1, 1}}}}},
		"bars":  Bars{Title: "Bars", Value: "value", Name: "name", Names: []string{"a", "b", "c"}, Series: []BarSeries{{"one", []float64{3, -1, 2}}, {"two", []float64{1, 2, 3}}}},
		"matrix": Matrix{Title: "Matrix", X: "x", Y: "y", Columns: []string{"a", "b"}, Rows: []string{"c", "d"},
			Cells: [][]Cell{{{"1", "a note that is much too long for its cell, really", 1}, {"2", "", 0}}, {{"3", "n", 0.5}, {"4", "n", 2}}}},
	}
}

// Figures are well-formed and the same every time, also when they are drawn at
// the same time.
func TestFiguresAreDeterministic(t *testing.T) {
	dir := os.Getenv("FLOW_TEST_FIGURES")
	for name, f := range examples() {
		var wg sync.WaitGroup
		var svgs, pngs [2]bytes.Buffer
		var errs [2]error
		for i := range svgs {
			wg.Go(func() { errs[i] = errors.Join(SVG(&svgs[i], f), PNG(&pngs[i], f)) })
		}
		wg.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range svgs {
			if !bytes.Equal(svgs[0].Bytes(), svgs[i].Bytes()) || !bytes.Equal(pngs[0].Bytes(), pngs[i].Bytes()) {
				t.Errorf("%s: two drawings differ", name)
			}
		}
		d := xml.NewDecoder(&svgs[1])
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if bytes.Contains(svgs[0].Bytes(), []byte("NaN")) || bytes.Contains(svgs[0].Bytes(), []byte("Inf")) {
			t.Errorf("%s: coordinates that are no numbers", name)
		}
		if f.Description() == "" {
			t.Errorf("%s: no description", name)
		}
		if dir != "" { // to look at them
			if err := os.WriteFile(filepath.Join(dir, name+".png"), pngs[0].Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestInlineFollowsThePage(t *testing.T) {
	text, err := Inline(examples()["kinds"])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<svg viewBox="0 0 `, `role="img"`, `aria-label="Kinds &lt;&amp;&gt; &#34;quoted&#34;. y over x. Series: dots.`, "var(--figure-ink,#1B1F24)",
		"var(--figure-grid,", "var(--figure-guide,", "var(--figure-0,#0072B2)", "Kinds &lt;&amp;&gt;",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in the figure", want)
		}
	}
	if strings.Contains(text, "<?xml") || strings.Contains(text, "<!--") {
		t.Error("a prologue in the page")
	}
}

func TestFaultyFigures(t *testing.T) {
	for name, f := range map[string]Figure{
		"rows":  Matrix{Rows: []string{"a"}},
		"cells": Matrix{Rows: []string{"a"}, Columns: []string{"a"}, Cells: [][]Cell{{}}},
		"bars":  Bars{Names: []string{"a"}, Series: []BarSeries{{"s", nil}}},
	} {
		if SVG(io.Discard, f) == nil || PNG(io.Discard, f) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0, 1, "0.0 0.2 0.4 0.6 0.8 1.0"}, {0, 2250, "0 500 1000 1500 2000"}, {-0.5, 0.5, "-0.4 -0.2 0.0 0.2 0.4"},
		{0, 1e9, "0 2e+08 4e+08 6e+08 8e+08 1e+09"}, {3, 3, "3"}, {0.001, 0.0035, "0.0010 0.0015 0.0020 0.0025 0.0030 0.0035"},
	} {
		var labels []string
		s := scale{low: c.low, high: c.high}
		for _, t := range s.ticks() {
			labels = append(labels, t.label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("%v to %v: %s, want %s", c.low, c.high, got, c.want)
		}
	}
}
