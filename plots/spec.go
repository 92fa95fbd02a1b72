package plots

import (
	"math"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// templateNames are those that DVC has.
var templateNames = []string{
	"simple", "linear", "confusion", "confusion_normalized", "scatter", "scatter_jitter", "smooth",
	"bar_horizontal_sorted", "bar_horizontal",
}

// Templates returns the names of the templates.
func Templates() []string { return append([]string(nil), templateNames...) }

// schema is the version of Vega-Lite that specifications are written for.
const schema = "https://vega.github.io/schema/vega-lite/v5.json"

// revisionColors tell revisions apart, also for the colour-blind.
var revisionColors = []any{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}

// object makes a map of keys and values in turn.
func object(pairs ...any) *yaml12.Map {
	m := new(yaml12.Map)
	for i := 0; i+1 < len(pairs); i += 2 {
		m.Set(pairs[i].(string), pairs[i+1])
	}
	return m
}

func list(v ...any) []any { return v }

// Spec returns the plot as a Vega-Lite specification with its data.
func (p *Plot) Spec() *yaml12.Map {
	rows := make([]any, len(p.Rows))
	for i, r := range p.Rows {
		rows[i] = finite(r)
	}
	spec := p.body()
	spec.Items = append([]yaml12.Item{
		{Key: "$schema", Value: schema},
		{Key: "data", Value: object("values", rows)},
		{Key: "title", Value: object("text", p.Title, "anchor", "middle")},
	}, spec.Items...)
	return spec
}

// finite replaces numbers that JSON does not have by null.
func finite(v any) any {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = finite(e)
		}
		return out
	case *yaml12.Map:
		out := &yaml12.Map{Items: make([]yaml12.Item, len(v.Items))}
		for i, it := range v.Items {
			out.Items[i] = yaml12.Item{Key: it.Key, Value: finite(it.Value)}
		}
		return out
	}
	return v
}

// JSON returns the specification as text.
func (p *Plot) JSON() []byte { return python.JSON(p.Spec()) }

func (p *Plot) body() *yaml12.Map {
	switch p.Template {
	case "confusion", "confusion_normalized":
		return p.confusionSpec(p.Template == "confusion_normalized")
	case "bar_horizontal", "bar_horizontal_sorted":
		var order any
		if p.Template == "bar_horizontal_sorted" {
			order = "-x"
		}
		enc := p.encoding()
		enc.Set("y", object("field", p.Y, "type", "nominal", "title", p.YLabel, "sort", order))
		enc.Set("yOffset", object("field", revField))
		return object("width", int64(300), "height", object("step", int64(20)), "mark", object("type", "bar", "tooltip", true), "encoding", enc)
	case "scatter", "scatter_jitter":
		enc := p.encoding()
		if p.Template == "scatter_jitter" {
			enc.Set("xOffset", object("field", "jitter", "type", "quantitative"))
			return object("width", int64(300), "height", int64(300),
				"transform", list(object("calculate", "sqrt(-2*log(random()))*cos(2*PI*random())", "as", "jitter")),
				"mark", object("type", "point", "tooltip", object("content", "data")), "encoding", enc)
		}
		return object("width", int64(300), "height", int64(300), "mark", object("type", "point", "tooltip", object("content", "data")), "encoding", enc)
	case "smooth":
		group := list(revField)
		if p.severalFiles {
			group = append(group, fileField)
		}
		if p.severalFields {
			group = append(group, nameField)
		}
		return object("width", int64(300), "height", int64(300), "encoding", p.encoding(), "layer", list(
			object("mark", object("type", "line", "opacity", 0.3)),
			object("mark", "line", "transform", list(object("loess", p.Y, "on", p.X, "groupby", group, "bandwidth", 0.3))),
		))
	}
	return object("width", int64(300), "height", int64(300), "mark", object("type", "line", "tooltip", object("content", "data")), "encoding", p.encoding())
}

func (p *Plot) encoding() *yaml12.Map {
	enc := object(
		"x", object("field", p.X, "type", p.axisType(p.X), "title", p.XLabel),
		"y", object("field", p.Y, "type", p.axisType(p.Y), "title", p.YLabel, "scale", object("zero", false)),
		"color", object("field", revField, "type", "nominal", "scale", p.colors()),
	)
	// With both, files are told apart by dashes and fields by shades.
	switch {
	case p.severalFiles:
		enc.Set("strokeDash", object("field", fileField, "type", "nominal"))
		if p.severalFields {
			enc.Set("opacity", object("field", nameField, "type", "nominal"))
		}
	case p.severalFields:
		enc.Set("strokeDash", object("field", nameField, "type", "nominal"))
	}
	return enc
}

func (p *Plot) colors() *yaml12.Map {
	var domain, colors []any
	for i, r := range p.Revisions {
		domain = append(domain, r)
		colors = append(colors, revisionColors[i%len(revisionColors)])
	}
	return object("domain", domain, "range", colors)
}

// axisType is quantitative when every value of a field is a number.
func (p *Plot) axisType(field string) string {
	for _, r := range p.Rows {
		v, _ := r.Get(field)
		if _, ok := toFloat(v); !ok && v != nil {
			return "nominal"
		}
	}
	return "quantitative"
}

func (p *Plot) confusionSpec(normalized bool) *yaml12.Map {
	value, transforms := "count", list(object("aggregate", list(object("op", "count", "as", "count")), "groupby", list(revField, p.X, p.Y)))
	if normalized {
		value = "share"
		transforms = append(transforms,
			object("joinaggregate", list(object("op", "sum", "field", "count", "as", "total")), "groupby", list(revField, p.X)),
			object("calculate", "datum.count / datum.total", "as", "share"))
	}
	transforms = append(transforms,
		object("joinaggregate", list(object("op", "max", "field", value, "as", "largest")), "groupby", list(revField)))
	format := "d"
	if normalized {
		format = ".3f"
	}
	axis := func(field, title string) *yaml12.Map {
		return object("field", field, "type", "nominal", "sort", "ascending", "title", title)
	}
	return object(
		"transform", transforms,
		"facet", object("column", object("field", revField, "sort", list())),
		"spec", object(
			"width", int64(300), "height", int64(300),
			"encoding", object("x", axis(p.X, p.XLabel), "y", axis(p.Y, p.YLabel)),
			"layer", list(
				object("mark", object("type", "rect", "tooltip", true),
					"encoding", object("color", object("field", value, "type", "quantitative", "title", "", "scale", object("domainMin", int64(0), "scheme", "blues")))),
				object("mark", "text", "encoding", object(
					"text", object("field", value, "type", "quantitative", "format", format),
					"color", object("condition", object("test", "datum['"+value+"'] > 0.5 * datum.largest", "value", "white"), "value", "black"))),
			),
		),
	)
}
