package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/project"
	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/track"
	"github.com/flowrepro/flow/track/backend"
)

// tracking is an open tracking store with the project it belongs to.
type tracking struct {
	track.Store
	// root is the project's, or the current directory where there is none.
	root string
	// project is nil where there is none, which only a server can do without.
	project *project.Project
	cwd     string
}

// openTracking opens the store that the environment or the configuration names.
func (a *app) openTracking() (*tracking, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the current directory: %w", err)
	}
	o := backend.Options{Root: cwd, UserAgent: "flow"}
	t := &tracking{root: cwd, cwd: cwd}
	p, err := project.Find(cwd)
	var none *project.NotFoundError
	switch {
	case err == nil:
		t.project, t.root, o.Root = p, p.Root, p.Root
		o.TokenEnv, _ = p.Config.Get("flow", "token_env")
		if os.Getenv("MLFLOW_TRACKING_URI") == "" {
			o.URI, _ = p.Config.Get("flow", "tracking_uri")
		}
		if os.Getenv("MLFLOW_REGISTRY_URI") == "" {
			o.RegistryURI, _ = p.Config.Get("flow", "registry_uri")
		}
		if os.Getenv(backend.TokenVariable) != "" {
			o.TokenEnv = ""
		}
	case !errors.As(err, &none) || !isServer(os.Getenv("MLFLOW_TRACKING_URI")):
		return nil, err
	}
	t.Store, err = backend.Open(o)
	return t, err
}

func isServer(uri string) bool {
	return strings.HasPrefix(uri, "http://") || strings.HasPrefix(uri, "https://")
}

// withTracking opens the store for f and closes it. Errors end the program with
// 255: 1 is for gates that refuse.
func (a *app) withTracking(f func(t *tracking) error) (err error) {
	t, err := a.openTracking()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	return f(t)
}

// decodeParams fills into with a section of params.yaml, which may be absent.
func (t *tracking) decodeParams(section string, into any) error {
	found, _, err := pipeline.NewValues(t.root).Read("params.yaml", []string{section})
	if err != nil {
		return err
	}
	return stages.NewParams(found).Decode(section, into)
}

// commit is the revision of the project's working tree, "" if there is none.
func (t *tracking) commit(ctx context.Context) string {
	if t.project == nil {
		return ""
	}
	g, ok := t.project.Git()
	if !ok {
		return ""
	}
	rev, err := g.Resolve(ctx, "HEAD")
	if err != nil {
		return "" // no commit yet, or no git
	}
	return rev
}

// userName is who is to be recorded as having done something.
func userName() string {
	for _, name := range []string{"GITHUB_ACTOR", "GITLAB_USER_LOGIN", "USER", "LOGNAME", "USERNAME"} {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}

// abs makes an argument that is a path absolute.
func (t *tracking) abs(arg string) string {
	if filepath.IsAbs(arg) {
		return arg
	}
	return filepath.Join(t.cwd, arg)
}

// tableWidth is how wide a table may be: the terminal, or 80 columns.
func (a *app) tableWidth() int {
	if w, ok := terminal(a.stdout); ok {
		return w
	}
	return 80
}

// printColumns prints rows in columns, two blanks apart. The first row is the
// head. What is wider than the width is cut.
func printColumns(w io.Writer, width int, rows [][]string) {
	var widths []int
	for _, r := range rows {
		for i, cell := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	fit(widths, width)
	for _, r := range rows {
		var b strings.Builder
		for i, cell := range r {
			cell = cutText(cell, widths[i])
			b.WriteString(cell)
			if i < len(r)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// fit narrows columns until all of them fit: first the last one, which holds the
// least important text, then whichever is widest.
func fit(widths []int, width int) {
	const least, lastLeast = 6, 16
	if len(widths) == 0 {
		return
	}
	total := 2 * (len(widths) - 1)
	for _, n := range widths {
		total += n
	}
	for last := len(widths) - 1; total > width; total-- {
		widest := last
		if widths[last] <= lastLeast {
			for i, n := range widths {
				if n > widths[widest] {
					widest = i
				}
			}
		}
		if widths[widest] <= least {
			return
		}
		widths[widest]--
	}
}

// cutText cuts a text to a width, with an ellipsis.
func cutText(text string, width int) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:max(0, width-1)]) + "…"
}

// minuteLayout is how tables show times.
const minuteLayout = time.DateOnly + " 15:04"

// timeText is a time for a table, in local time.
func timeText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(minuteLayout)
}

// dash stands for nothing in a table.
func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// metricText is a metric in a table.
func metricText(v float64) string {
	text := fmt.Sprintf("%.4f", v)
	if v != 0 && (v < 1e-3 && v > -1e-3 || v >= 1e6 || v <= -1e6) {
		text = fmt.Sprintf("%.3g", v)
	}
	return strings.TrimSuffix(text, ".0000")
}

// jsonTime is a time in JSON, null for none.
func jsonTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
