package score

import (
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The size of a figure.
const (
	figureWidth  = 12 * vg.Centimeter
	figureHeight = 10 * vg.Centimeter
	margin       = vg.Length(8)
)

var (
	curveColor = color.RGBA{R: 0x1f, G: 0x5f, B: 0xa8, A: 0xff}
	guideColor = color.RGBA{R: 0x99, G: 0x99, B: 0x99, A: 0xff}
)

// DrawROC draws a ROC curve as SVG.
func DrawROC(w io.Writer, points []Point, auc float64) error {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("ROC curve (AUC %.4f)", auc)
	p.Title.Padding = vg.Points(6)
	p.X.Label.Text = "False positive rate"
	p.Y.Label.Text = "True positive rate"
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	p.Add(plotter.NewGrid())
	guide, err := plotter.NewLine(plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 1}})
	if err != nil {
		return fmt.Errorf("draw ROC curve: %w", err)
	}
	guide.Color = guideColor
	guide.Dashes = []vg.Length{vg.Points(4), vg.Points(4)}
	xys := make(plotter.XYs, len(points))
	for i, pt := range points {
		xys[i] = plotter.XY{X: pt.FPR, Y: pt.TPR}
	}
	curve, err := plotter.NewLine(xys)
	if err != nil {
		return fmt.Errorf("draw ROC curve: %w", err)
	}
	curve.Color = curveColor
	curve.Width = vg.Points(1.5)
	p.Add(guide, curve)
	p.Legend.Add("classifier", curve)
	p.Legend.Add("chance", guide)
	// With the text at the right of its sign there is room for viewers that
	// put a wider font in the place of ours.
	p.Legend.Left = true
	p.Legend.XOffs = figureWidth / 2
	p.Legend.YOffs = vg.Points(8)
	p.Legend.Padding = vg.Points(6)
	return render(w, p, "ROC curve")
}

// DrawConfusion draws a confusion matrix as SVG, shaded by the share of each
// label's rows. Classes are the names of the labels 0 and 1.
func DrawConfusion(w io.Writer, c Confusion, classes [2]string) error {
	p := plot.New()
	p.Title.Text = "Confusion matrix"
	p.Title.Padding = vg.Points(6)
	p.X.Label.Text = "Predicted"
	p.Y.Label.Text = "Actual"
	p.NominalX(classes[0], classes[1])
	// The first label on top, as a table is read.
	p.NominalY(classes[1], classes[0])
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, 1.5, -0.5, 1.5
	p.Add(&cells{count: [2][2]int{{c.TrueNegative, c.FalsePositive}, {c.FalseNegative, c.TruePositive}}})
	return render(w, p, "confusion matrix")
}

// cells draws the four fields of a confusion matrix: count[actual][predicted].
type cells struct {
	count [2][2]int
}

// Plot implements plot.Plotter.
func (m *cells) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	for actual, row := range m.count {
		total := row[0] + row[1]
		for predicted, n := range row {
			share := ratio(n, total)
			x, y := float64(predicted), float64(1-actual)
			x0, x1 := trX(x-0.5), trX(x+0.5)
			y0, y1 := trY(y-0.5), trY(y+0.5)
			c.FillPolygon(shade(share), []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
			style := text.Style{
				Color:   color.Black,
				Font:    plot.DefaultFont,
				XAlign:  draw.XCenter,
				YAlign:  draw.YCenter,
				Handler: plot.DefaultTextHandler,
			}
			style.Font.Size = vg.Points(14)
			if share > 0.6 {
				style.Color = color.White
			}
			c.FillText(style, vg.Point{X: trX(x), Y: trY(y)}, fmt.Sprintf("%d (%.1f %%)", n, 100*share))
		}
	}
}

// shade goes from nearly white to the colour of the curve.
func shade(share float64) color.Color {
	blend := func(from, to uint8) uint8 {
		return uint8(float64(from) + float64(share*(float64(to)-float64(from))))
	}
	return color.RGBA{R: blend(0xf2, curveColor.R), G: blend(0xf6, curveColor.G), B: blend(0xfb, curveColor.B), A: 0xff}
}

func render(w io.Writer, p *plot.Plot, what string) error {
	c := vgsvg.New(figureWidth, figureHeight)
	p.Draw(draw.Crop(draw.New(c), margin, -margin, margin, -margin))
	if _, err := c.WriteTo(w); err != nil {
		return fmt.Errorf("draw %s: %w", what, err)
	}
	return nil
}
