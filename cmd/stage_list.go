package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/internal/yaml12"
	"github.com/flowrepro/flow/project"
)

type listFlags struct {
	all, recursive, nameOnly, fail bool
	functions, json                bool
}

func (a *app) stageListCommand() *cobra.Command {
	var f listFlags
	c := &cobra.Command{
		Use:   "list [target]...",
		Short: "List stages with what they are for",
		Long: `List the stages of dvc.yaml in this directory, of the targets, or of the whole
project. A target is a stage, a group, a dvc.yaml or .dvc file or, with
--recursive, a directory. --functions lists the Go functions that commands of
the form 'flow stage <name>' call.`,
		ValidArgsFunction: a.completeStages,
		RunE: run(func(_ context.Context, args []string) error {
			if f.functions {
				return a.listFunctions(f.json)
			}
			return a.listStages(&f, args)
		}),
	}
	fl := c.Flags()
	fl.BoolVar(&f.all, "all", false, "all stages of the project")
	fl.BoolVarP(&f.recursive, "recursive", "R", false, "all stages below the target directories")
	fl.BoolVar(&f.nameOnly, "name-only", false, "only names")
	fl.BoolVar(&f.nameOnly, "names-only", false, "only names")
	_ = fl.MarkHidden("names-only")
	fl.BoolVar(&f.fail, "fail", false, "fail on files that cannot be loaded, instead of leaving them out")
	fl.BoolVar(&f.functions, "functions", false, "list the registered Go functions")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func (a *app) listStages(f *listFlags, args []string) error {
	s, err := a.open(openOptions{noPipeline: true})
	if err != nil {
		return err
	}
	var loadErr error
	s.set, loadErr = loadPipeline(s.project, project.NewIgnore(s.project.Root))
	if loadErr != nil && f.fail {
		return loadErr
	}
	if f.all || f.recursive {
		a.warnLeftOut(loadErr)
	}
	var list []*pipeline.Stage
	switch {
	case f.all:
		list = s.set.Stages
	default:
		if len(args) == 0 {
			args = []string{"dvc.yaml"}
			if f.recursive {
				args = []string{"."}
			}
		}
		for _, arg := range args {
			if fi, err := os.Stat(s.abs(arg)); f.recursive && err == nil && fi.IsDir() {
				list = append(list, s.set.ResolveDir(arg, s.dir)...)
				continue
			}
			found, err := s.set.Resolve(arg, s.dir, false)
			if faults := s.faultsOf(loadErr, arg); faults != nil {
				err = faults
			}
			if err != nil {
				return err
			}
			list = append(list, found...)
		}
	}
	if f.json {
		return a.printStagesJSON(s, list)
	}
	rows := make([][2]string, len(list))
	for i, st := range list {
		rows[i] = [2]string{st.Address(s.dir), describeStage(st)}
	}
	printTable(a.stdout, rows, f.nameOnly)
	return nil
}

// warnLeftOut tells which files could not be loaded.
func (a *app) warnLeftOut(err error) {
	var list yaml12.Errors
	if !errors.As(err, &list) {
		return
	}
	seen := map[string]bool{}
	for _, e := range list {
		if !seen[e.File] {
			seen[e.File] = true
			a.warn(fmt.Sprintf("'%s' is left out: %s", e.File, firstLine(e.Error())))
		}
	}
}

// faultsOf returns the part of a load error that is about the file that a target
// names, or is in.
func (s *session) faultsOf(err error, target string) error {
	var all, mine yaml12.Errors
	if !errors.As(err, &all) {
		return nil
	}
	file := "dvc.yaml"
	if i := strings.LastIndexByte(target, ':'); i > 0 {
		file = target[:i]
	} else if strings.HasSuffix(target, "dvc.yaml") || strings.HasSuffix(target, ".dvc") {
		file = target
	}
	rel, _ := s.project.Rel(s.abs(file))
	for _, e := range all {
		if e.File == rel {
			mine = append(mine, e)
		}
	}
	return mine.Err()
}

type listedStage struct {
	Name        string `json:"name"`
	File        string `json:"file"`
	Description string `json:"description"`
	Frozen      bool   `json:"frozen,omitempty"`
	Data        bool   `json:"data,omitempty"`
}

func (a *app) printStagesJSON(s *session, list []*pipeline.Stage) error {
	out := make([]listedStage, len(list))
	for i, st := range list {
		out[i] = listedStage{st.Address(s.dir), st.File, describeStage(st), st.Frozen, st.IsData()}
	}
	return printJSON(a.stdout, out)
}

func (a *app) listFunctions(asJSON bool) error {
	type function struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		Doc     string `json:"doc"`
	}
	list := []function{}
	width, versions := 0, 0
	for _, s := range a.registry.List() {
		list = append(list, function{s.Name, s.Version, s.Doc})
		width, versions = max(width, len(s.Name)), max(versions, len(s.Version))
	}
	if asJSON {
		return printJSON(a.stdout, list)
	}
	for _, f := range list {
		line := fmt.Sprintf("%-*s  %-*s  %s", width, f.Name, versions, f.Version, f.Doc)
		fmt.Fprintln(a.stdout, strings.TrimRight(line, " "))
	}
	return nil
}

// describeStage is what a listing says of a stage: its description or, without
// one, what it makes.
func describeStage(st *pipeline.Stage) string {
	for _, line := range strings.Split(st.Desc, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			return cutWords(line, 80)
		}
	}
	var outs, reports, deps, parts []string
	for _, o := range st.Outs {
		if o.Kind == pipeline.PlainOutput {
			outs = append(outs, o.Def)
		} else {
			reports = append(reports, o.Def)
		}
	}
	if len(outs) > 0 {
		parts = append(parts, "Outputs "+strings.Join(outs, ", "))
	}
	if len(reports) > 0 {
		parts = append(parts, "Reports "+strings.Join(reports, ", "))
	}
	if len(parts) == 0 {
		for _, d := range st.Deps {
			deps = append(deps, d.Def)
		}
		for _, p := range st.Params {
			deps = append(deps, p.Def)
		}
		if len(deps) == 0 {
			return "No outputs or dependencies"
		}
		parts = append(parts, "Depends on "+strings.Join(deps, ", "))
	}
	return cutWords(strings.Join(parts, "; "), 80)
}

// cutWords cuts a text at a space so that it fits the width with an ellipsis.
func cutWords(text string, width int) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	r := []rune(text)
	for i := width - 1; i > 0; i-- {
		if r[i] == ' ' {
			return string(r[:i]) + "…"
		}
	}
	return string(r[:width-1]) + "…"
}

// printTable prints two columns, or only the first.
func printTable(w io.Writer, rows [][2]string, firstOnly bool) {
	width := 0
	for _, r := range rows {
		width = max(width, utf8.RuneCountInString(r[0]))
	}
	for _, r := range rows {
		if firstOnly {
			fmt.Fprintln(w, r[0])
			continue
		}
		fmt.Fprintf(w, "%s%s  %s\n", r[0], strings.Repeat(" ", width-utf8.RuneCountInString(r[0])), r[1])
	}
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
