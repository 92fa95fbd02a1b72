package track

import (
	"fmt"
	"math"
	"sort"
	"strings"
)

// Gates are the conditions of a promotion. The zero Gates let everything pass.
type Gates struct {
	// Minimum and Maximum bound metrics of the version.
	Minimum map[string]float64 `param:"minimum"`
	Maximum map[string]float64 `param:"maximum"`
	// Margin says by how much a metric may be worse than production's, measured
	// on the same data.
	Margin map[string]float64 `param:"margin"`
	// OtherData allows a comparison with production on other data.
	OtherData bool `param:"other_data"`
}

// Empty reports whether there are no conditions.
func (g *Gates) Empty() bool { return len(g.Minimum)+len(g.Maximum)+len(g.Margin) == 0 }

// names are the metrics that the gates need.
func (g *Gates) names() []string {
	seen := map[string]bool{}
	for _, m := range []map[string]float64{g.Minimum, g.Maximum, g.Margin} {
		for k := range m {
			seen[k] = true
		}
	}
	return sortedKeys(seen)
}

// Check is the outcome of one condition.
type Check struct {
	// Gate is "minimum", "maximum", "margin" or "same data".
	Gate   string `json:"gate"`
	Metric string `json:"metric,omitempty"`
	// Have is the version's value, nil if it was not measured.
	Have *float64 `json:"have,omitempty"`
	// Production is production's, for a margin.
	Production *float64 `json:"production,omitempty"`
	// Want is the bound of what passes.
	Want *float64 `json:"want,omitempty"`
	OK   bool     `json:"ok"`
	// Reason says what is wrong, or why a condition does not apply.
	Reason string `json:"reason,omitempty"`
}

// lowerIsBetter reports whether a smaller value of a metric is the better one:
// losses, calibration errors and times.
func (g *Gates) lowerIsBetter(metric string) bool {
	if _, ok := g.Maximum[metric]; ok {
		return true
	}
	base := metric[strings.LastIndexByte(metric, '/')+1:]
	for _, s := range []string{"loss", "brier", "ece", "error", "latency", "seconds", "_ms", "psi"} {
		if strings.HasPrefix(base, s) || strings.HasSuffix(base, s) {
			return true
		}
	}
	return false
}

// Measured are the metrics of a version and what they were measured on.
type Measured struct {
	Metrics map[string]float64
	// Data is the digest of the data, "" if it is not known.
	Data string
}

// Evaluate compares a version with the bounds and with production, which is nil
// when there is none.
func (g *Gates) Evaluate(have Measured, production *Measured) []Check {
	list := g.bounds(have)
	if len(g.Margin) == 0 {
		return list
	}
	if production == nil {
		for _, metric := range sortedKeys(g.Margin) {
			list = append(list, Check{Gate: "margin", Metric: metric, OK: true, Reason: "there is nothing in production"})
		}
		return list
	}
	if !g.OtherData {
		same := Check{Gate: "same data", OK: have.Data != "" && have.Data == production.Data}
		if !same.OK {
			same.Reason = fmt.Sprintf("measured on %s, production on %s", dataText(have.Data), dataText(production.Data))
			return append(list, same)
		}
		list = append(list, same)
	}
	for _, metric := range sortedKeys(g.Margin) {
		list = append(list, g.margin(metric, have, *production))
	}
	return list
}

func dataText(digest string) string {
	if digest == "" {
		return "unknown data"
	}
	return "data " + Shorten(digest[strings.IndexByte(digest, ':')+1:], 12)
}

func (g *Gates) bounds(have Measured) []Check {
	var list []Check
	for _, gate := range []struct {
		name  string
		sign  float64
		bound map[string]float64
	}{{"minimum", 1, g.Minimum}, {"maximum", -1, g.Maximum}} {
		for _, metric := range sortedKeys(gate.bound) {
			want := gate.bound[metric]
			c := Check{Gate: gate.name, Metric: metric, Want: &want}
			c.measure(have, func(v float64) bool { return gate.sign*v >= gate.sign*want })
			list = append(list, c)
		}
	}
	return list
}

// measure fills in a metric's value; what was not measured does not pass.
func (c *Check) measure(have Measured, passes func(v float64) bool) {
	v, ok := have.Metrics[c.Metric]
	switch {
	case !ok:
		c.Reason = "it was not measured"
	case math.IsNaN(v):
		c.Reason = "it is not a number"
	default:
		c.Have = &v
		c.OK = passes(v)
	}
}

func (g *Gates) margin(metric string, have, production Measured) Check {
	c := Check{Gate: "margin", Metric: metric}
	p, ok := production.Metrics[metric]
	if !ok || math.IsNaN(p) {
		c.Reason = "it was not measured in production"
		return c
	}
	c.Production = &p
	sign := 1.0
	if g.lowerIsBetter(metric) {
		sign = -1
	}
	want := p - sign*math.Abs(g.Margin[metric])
	c.Want = &want
	// Differences in the last digits are not a step back.
	slack := 1e-12 * math.Max(1, math.Abs(want))
	c.measure(have, func(v float64) bool { return sign*v >= sign*want-slack })
	return c
}

// Passed reports whether all conditions hold.
func Passed(list []Check) bool {
	for _, c := range list {
		if !c.OK {
			return false
		}
	}
	return true
}

// String describes the outcome in a line: "accuracy 0.85 is below the minimum 0.9".
func (c Check) String() string {
	value := func(v *float64) string { return FormatFloat(math.Round(*v*1e6) / 1e6) }
	name := strings.TrimSpace(c.Gate + " " + c.Metric)
	switch {
	case c.Reason != "":
		return name + ": " + c.Reason
	case c.Have == nil || c.Want == nil:
		return name + ": ok"
	}
	relation := map[bool]string{true: "passes", false: "fails"}[c.OK]
	bound := value(c.Want)
	if c.Production != nil {
		bound += ", production has " + value(c.Production)
	}
	return fmt.Sprintf("%s: %s %s (%s)", name, value(c.Have), relation, bound)
}

// failures are the texts of the conditions that do not hold.
func failures(list []Check) []string {
	var texts []string
	for _, c := range list {
		if !c.OK {
			texts = append(texts, c.String())
		}
	}
	sort.Strings(texts)
	return texts
}
