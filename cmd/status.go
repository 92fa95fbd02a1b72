package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/engine/pipeline"
)

type statusFlags struct {
	transferFlags
	cloud               bool
	explain, checkStale bool
	noUpdates           bool
}

func (a *app) statusCommand() *cobra.Command {
	var f statusFlags
	c := &cobra.Command{
		Use:   "status [target]...",
		Short: "Show which stages are stale, and why",
		Long: `Show the stages and data whose command, dependencies, parameters or outputs
differ from what dvc.lock or the .dvc file records, and the stages that are stale
only because of those before them; and the data imported from other projects that
have moved on. With --cloud compare the cache with a remote instead. Nothing is
changed.

The exit code is 0 also when something is stale, unless --check or --quiet asks
otherwise. --json has the shape and content of DVC's; with --explain it also has
what flow knows beyond that.`,
		ValidArgsFunction: a.completeStages,
		RunE: run(func(ctx context.Context, args []string) error {
			if f.cloud || f.remote != "" {
				return failed(a.statusCloud(ctx, &f, args))
			}
			if f.branches || f.tags || f.commits || f.jobs != 0 {
				return failed(errors.New("the following options are meaningful only with -c/--cloud: --all-branches, --all-tags, --all-commits, --jobs"))
			}
			return failed(a.status(ctx, &f, args))
		}),
	}
	fl := c.Flags()
	f.add(c)
	fl.BoolVarP(&f.cloud, "cloud", "c", false, "compare the cache with the remote")
	fl.BoolVar(&f.explain, "explain", false, "show old and new values; with --json add them")
	fl.BoolVar(&f.checkStale, "check", false, "exit with 1 when anything is stale")
	fl.BoolVar(&f.noUpdates, "no-updates", false, "do not look for updates of imported data")
	return c
}

func (a *app) status(ctx context.Context, f *statusFlags, args []string) (err error) {
	s, err := a.open(openOptions{sink: noticeSink{a}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	if len(s.set.Stages) == 0 && len(args) == 0 {
		if f.json {
			fmt.Fprintln(a.stdout, "{}")
			return nil
		}
		a.print("There are no data or pipelines tracked in this project yet.\n" +
			"See `flow stage add --help` and `flow add --help` to get started!\n")
		return nil
	}
	var targets []*pipeline.Stage
	if len(args) > 0 {
		sub, err := s.subjects(args, f.recursive)
		if err != nil {
			return err
		}
		if targets = sub.stages; len(targets) == 0 {
			return a.printStatus(s, f, nil)
		}
	}
	list, err := s.engine.Status(ctx, targets, f.deps)
	if err != nil {
		return err
	}
	if err := a.compareSources(ctx, s, list, !f.noUpdates); err != nil {
		return err
	}
	// A faulty graph does not keep the stages from being compared, but repro
	// would refuse it.
	_, faults := s.engine.Graph()
	return errors.Join(faults, a.printStatus(s, f, list))
}

// printStatus prints the stages that are not clean and returns the exit code
// asked for, as an error.
func (a *app) printStatus(s *session, f *statusFlags, list []engine.StageStatus) error {
	var changed []stageChanges
	own, stale := false, false
	for i := range list {
		st := &list[i]
		own = own || len(st.Reasons) > 0
		stale = stale || !st.Clean()
		dep := importOf(s.set.Stages[st.Index])
		if st.Frozen && !a.quiet && (dep == nil || dep.Repo == nil) {
			a.warn(fmt.Sprintf("stage: '%s' is frozen. Its dependencies are not going to be shown in the status output.", st.Stage))
		}
		if c := s.changesOf(st); len(c.sections) > 0 {
			changed = append(changed, c)
		}
	}
	switch {
	case f.json:
		fmt.Fprintln(a.stdout, statusJSON(changed, f.explain))
	case a.quiet:
	case len(changed) == 0:
		a.print("Data and pipelines are up to date.\n")
	default:
		a.print("%s", statusText(changed, f.explain))
	}
	if a.quiet && own || f.checkStale && stale {
		return &exitError{code: exitFailed}
	}
	return nil
}

// stageChanges is the status of one stage as it is shown.
type stageChanges struct {
	stage    string
	sections []section
	reasons  []engine.Reason
}

// section is one heading under a stage. One without items is only a line.
type section struct {
	title string
	items []sectionItem
	// own is set for what DVC does not know.
	own bool
	// plain items have no word.
	plain bool
}

// sectionItem is a path with the word for its change, or with those of its keys.
type sectionItem struct {
	path, word string
	keys       []sectionItem
}

// changesOf arranges the reasons of a stage under DVC's headings, in DVC's
// order, with flow's own after them.
func (s *session) changesOf(st *engine.StageStatus) stageChanges {
	stage := s.set.Stages[st.Index]
	deps := section{title: "changed deps"}
	outs := section{title: "changed outs"}
	env := section{title: "changed environment", own: true}
	up := section{title: "changed upstream", own: true, plain: true}
	var last []section
	for _, r := range st.Reasons {
		switch r.Aspect {
		case engine.AspectDep:
			if r.Change == engine.ChangeUpdate {
				deps.items = append(deps.items, sectionItem{path: r.Path, word: string(r.Change)})
				continue
			}
			deps.items = append(deps.items, sectionItem{path: s.show(depPath(stage, r.Path)), word: string(r.Change)})
		case engine.AspectParam:
			file := s.show(paramPath(stage, r.Path))
			if r.Key == "" {
				deps.items = append(deps.items, sectionItem{path: file, word: string(r.Change)})
				continue
			}
			n := len(deps.items) - 1
			if n < 0 || deps.items[n].path != file || deps.items[n].keys == nil {
				deps.items = append(deps.items, sectionItem{path: file})
				n++
			}
			deps.items[n].keys = append(deps.items[n].keys, sectionItem{path: r.Key, word: string(r.Change)})
		case engine.AspectOut:
			outs.items = append(outs.items, sectionItem{path: s.show(outPath(stage, r.Path)), word: string(r.Change)})
		case engine.AspectEnv:
			env.items = append(env.items, sectionItem{path: r.Path, word: string(r.Change)})
		case engine.AspectAlways:
			last = append([]section{{title: "always changed"}}, last...)
		case engine.AspectCommand:
			last = append(last, section{title: "changed command"})
		case engine.AspectImport:
			last = append(last, section{title: "changed checksum"})
		case engine.AspectVersion:
			last = append(last, section{title: "changed stage version", own: true})
		}
	}
	for _, u := range st.Upstream {
		up.items = append(up.items, sectionItem{path: u})
	}
	c := stageChanges{stage: st.Stage, reasons: st.Reasons}
	for _, sec := range []section{deps, outs} {
		if len(sec.items) > 0 {
			c.sections = append(c.sections, sec)
		}
	}
	c.sections = append(c.sections, last...)
	for _, sec := range []section{env, up} {
		if len(sec.items) > 0 {
			c.sections = append(c.sections, sec)
		}
	}
	return c
}

func depPath(s *pipeline.Stage, def string) string {
	for _, d := range s.Deps {
		if d.Def == def {
			return d.Path
		}
	}
	return def
}

func paramPath(s *pipeline.Stage, def string) string {
	for _, p := range s.Params {
		if p.Def == def {
			return p.Path
		}
	}
	return def
}

func outPath(s *pipeline.Stage, def string) string {
	for _, o := range s.Outs {
		if o.Def == def {
			return o.Path
		}
	}
	return def
}

// statusText is DVC's layout: words padded to 20 columns.
func statusText(list []stageChanges, explain bool) string {
	var b strings.Builder
	for _, c := range list {
		fmt.Fprintf(&b, "%s:\n", c.stage)
		for _, sec := range c.sections {
			if len(sec.items) == 0 {
				fmt.Fprintf(&b, "\t%s\n", sec.title)
				continue
			}
			fmt.Fprintf(&b, "\t%s:\n", sec.title)
			for _, it := range sec.items {
				switch {
				case sec.plain:
					fmt.Fprintf(&b, "\t\t%s\n", it.path)
				case it.keys == nil:
					fmt.Fprintf(&b, "\t\t%-20s%s\n", it.word+":", it.path)
				default:
					fmt.Fprintf(&b, "\t\t%s:\n", it.path)
					for _, k := range it.keys {
						fmt.Fprintf(&b, "\t\t\t%-20s%s\n", k.word+":", k.path)
					}
				}
			}
		}
		if explain {
			b.WriteString(reasonText(c.reasons))
		}
	}
	return b.String()
}

// reasonText lists old and new values below a stage.
func reasonText(rs []engine.Reason) string {
	var b strings.Builder
	for _, r := range rs {
		if r.Old == "" && r.New == "" {
			continue
		}
		if b.Len() == 0 {
			b.WriteString("\tbecause:\n")
		}
		fmt.Fprintf(&b, "\t\t%s\n", r)
		fmt.Fprintf(&b, "\t\t\t%s -> %s\n", shownValue(r.Old), shownValue(r.New))
	}
	return b.String()
}

func shownValue(v string) string {
	if v == "" {
		return "(none)"
	}
	return shorten(v, false, 60)
}
