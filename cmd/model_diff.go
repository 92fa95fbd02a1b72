package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/track"
)

func (a *app) modelDiffCommand() *cobra.Command {
	var asJSON, all bool
	c := &cobra.Command{
		Use:   "diff name@alias | name/version  [name@alias | name/version]",
		Short: "Show what two versions differ in: parameters, metrics, data, files",
		Long: `Compare two versions of registered models. The second is the first one's name in
production when it is not given, and a plain name means the version in Staging.`,
		Example: `  flow model diff sentiment
  flow model diff sentiment/2 sentiment/3`,
		Args: cobra.RangeArgs(1, 2),
		RunE: run(func(ctx context.Context, args []string) error {
			return a.withTracking(func(t *tracking) error { return a.modelDiff(ctx, t, args, all, asJSON) })
		}),
	}
	c.Flags().BoolVar(&all, "all", false, "also show what is equal")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) modelDiff(ctx context.Context, t *tracking, args []string, all, asJSON bool) error {
	var sides [2]side
	newer, err := t.versionOf(ctx, args[0])
	if err != nil {
		return err
	}
	var older track.Version
	if len(args) == 2 {
		// In the order of the arguments.
		if older, err = t.versionOf(ctx, args[1]); err != nil {
			return err
		}
		older, newer = newer, older
	} else if older, err = track.Production(ctx, t, newer.Name); err != nil {
		return err
	}
	for i, v := range []track.Version{older, newer} {
		r, err := t.runOf(ctx, v)
		if err != nil {
			return err
		}
		sides[i] = versionSide(v, r)
		if sides[i].files, err = t.filesOf(ctx, v); err != nil && !errors.Is(err, track.ErrNotFound) && !errors.Is(err, track.ErrUnsupported) {
			return err
		}
	}
	return a.printDifferences(sides[:], all, asJSON)
}

func (t *tracking) versionOf(ctx context.Context, arg string) (track.Version, error) {
	name, u, versioned, err := modelAddress(arg)
	if err != nil {
		return track.Version{}, err
	}
	if !versioned {
		return t.candidate(ctx, name)
	}
	return track.FindVersion(ctx, t, u)
}

// filesOf lists a version's files with their sizes.
func (t *tracking) filesOf(ctx context.Context, v track.Version) (map[string]string, error) {
	root, err := t.VersionSource(ctx, v)
	if err != nil {
		return nil, err
	}
	list, err := track.WalkArtifacts(ctx, t, root, "")
	files := map[string]string{}
	for _, f := range list {
		files[f.Path] = byteCount(f.Size)
	}
	return files, err
}

// side is one column of a comparison.
type side struct {
	title                string
	metrics              map[string]float64
	params, tags, inputs map[string]string
	files                map[string]string
}

func versionSide(v track.Version, r *track.Run) side {
	s := side{title: fmt.Sprintf("%s/%d", v.Name, v.Version), tags: map[string]string{}}
	if r != nil {
		s = runSide(*r)
		s.title = fmt.Sprintf("%s/%d", v.Name, v.Version)
	}
	for _, k := range []string{track.TagModelDigest, track.TagDataDigest, "flow.git_commit"} {
		if x := v.Tags[k]; x != "" {
			s.tags[k] = x
		}
	}
	return s
}

func runSide(r track.Run) side {
	s := side{title: shortID(r.ID), metrics: map[string]float64{}, params: r.Params, tags: map[string]string{}, inputs: map[string]string{}}
	for k, m := range r.Metrics {
		s.metrics[k] = m.Value
	}
	for _, d := range r.Inputs {
		s.inputs[d.Name] = d.Digest
	}
	for _, k := range []string{track.TagModelDigest, track.TagDataDigest, track.TagGitCommit} {
		if x := r.Tags[k]; x != "" {
			s.tags[k] = x
		}
	}
	return s
}

// difference is one row of a comparison; a value is null where a side lacks it.
type difference struct {
	Kind   string   `json:"kind"`
	Key    string   `json:"key"`
	Values []*value `json:"values"`
	Equal  bool     `json:"equal"`
}

// value is a text or, for a metric, a number.
type value struct {
	text   string
	number *float64
}

func (v value) MarshalJSON() ([]byte, error) {
	if v.number != nil {
		return strconv.AppendFloat(nil, *v.number, 'g', -1, 64), nil
	}
	return json.Marshal(v.text)
}

func compare(sides []side) []difference {
	var list []difference
	add := func(kind string, get func(s side) map[string]string) {
		keys := map[string]bool{}
		for _, s := range sides {
			for k := range get(s) {
				keys[k] = true
			}
		}
		for _, k := range keysOf(keys) {
			d := difference{Kind: kind, Key: k, Equal: true}
			for i, s := range sides {
				var v *value
				if text, ok := get(s)[k]; ok {
					v = &value{text: text}
					if n, isMetric := s.metrics[k]; isMetric && kind == "metric" && n == n && n-n == 0 {
						v.number = &n
					}
				}
				d.Values = append(d.Values, v)
				first := d.Values[0]
				if i > 0 && ((v == nil) != (first == nil) || v != nil && v.text != first.text) {
					d.Equal = false
				}
			}
			list = append(list, d)
		}
	}
	add("metric", func(s side) map[string]string {
		m := map[string]string{}
		for k, v := range s.metrics {
			m[k] = track.FormatFloat(v)
		}
		return m
	})
	add("parameter", func(s side) map[string]string { return s.params })
	add("input", func(s side) map[string]string { return s.inputs })
	add("file", func(s side) map[string]string { return s.files })
	add("tag", func(s side) map[string]string { return s.tags })
	return list
}

// printDifferences prints a comparison of two or more sides, with the change of
// metrics when there are two.
func (a *app) printDifferences(sides []side, all, asJSON bool) error {
	list := compare(sides)
	if asJSON {
		var titles []string
		for _, s := range sides {
			titles = append(titles, s.title)
		}
		shown := []difference{}
		for _, d := range list {
			if all || !d.Equal {
				shown = append(shown, d)
			}
		}
		return printJSON(a.stdout, map[string]any{"columns": titles, "rows": shown})
	}
	head := []string{"", ""}
	for _, s := range sides {
		head = append(head, s.title)
	}
	if len(sides) == 2 {
		head = append(head, "CHANGE")
	}
	rows := [][]string{head}
	last := ""
	for _, d := range list {
		if d.Equal && !all {
			continue
		}
		row := []string{"", d.Key}
		if d.Kind != last {
			row[0], last = d.Kind, d.Kind
		}
		for _, v := range d.Values {
			switch {
			case v == nil:
				row = append(row, "-")
			case v.number != nil:
				row = append(row, metricText(*v.number))
			default:
				row = append(row, v.text)
			}
		}
		if len(sides) == 2 && d.Values[0] != nil && d.Values[1] != nil && d.Values[0].number != nil && d.Values[1].number != nil {
			row = append(row, fmt.Sprintf("%+.4g", *d.Values[1].number-*d.Values[0].number))
		}
		rows = append(rows, row)
	}
	if len(rows) == 1 {
		a.print("No differences.\n")
		return nil
	}
	printColumns(a.stdout, a.tableWidth(), rows)
	return nil
}
