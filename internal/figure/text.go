package figure

import (
	"fmt"
	"sync"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	xfont "golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// looseness is how much wider than ours a text may be in the font that a
// browser takes for it.
const looseness = 1.2

// faces are the fonts of figures. They are read when the first is drawn.
var faces = sync.OnceValue(func() *font.Cache {
	var list font.Collection
	for _, f := range []struct {
		weight xfont.Weight
		data   []byte
	}{{xfont.WeightNormal, liberationsansregular.TTF}, {xfont.WeightBold, liberationsansbold.TTF}} {
		face, err := opentype.Parse(f.data)
		if err != nil {
			panic(fmt.Sprintf("figure: the built-in font cannot be read: %v", err))
		}
		list = append(list, font.Face{Font: typeface(f.weight, 0), Face: face})
	}
	return font.NewCache(list)
})

func typeface(weight xfont.Weight, size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Weight: weight, Size: size}
}

func textStyle(size vg.Length, bold bool) text.Style {
	weight := xfont.WeightNormal
	if bold {
		weight = xfont.WeightBold
	}
	return text.Style{Color: ink, Font: typeface(weight, size), Handler: text.Plain{Fonts: faces()}}
}

// fitted shortens a text so that it is at most as wide as that, in a browser's
// font too.
func fitted(s text.Style, t string, wide vg.Length) string {
	for most := len([]rune(t)) - 1; most > 1 && looseness*s.Width(t) > wide; most-- {
		t = shortened(t, most)
	}
	return t
}

func shortened(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
