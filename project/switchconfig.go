package project

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowrepro/flow/internal/atomicfile"
)

// flowSection is the section of flow's own settings.
var flowSection = sectionName{top: "flow"}

// NativeNotes is the file of a DVC project's control directory that holds what
// the native format records and DVC's has no place for, so that a project that
// is converted back is what it was.
const NativeNotes = "flow.native"

// stageControl writes the new control directory: the settings in the form of the
// new format, what Git leaves out, and everything else that the user has there.
func (s *Switch) stageControl() error {
	if err := s.stageMoves(); err != nil {
		return err
	}
	if err := s.stageConfig(); err != nil {
		return err
	}
	known := map[string]bool{
		"config": true, "config.local": true, "flow.config": true, NativeNotes: true, gitIgnoreName: true,
		"tmp": true, "cache": true, "state": true,
	}
	for _, m := range s.journal.Moves {
		top, _, _ := strings.Cut(m, "/")
		known[top] = true
	}
	list, err := os.ReadDir(s.p.ControlDir())
	if err != nil {
		return err
	}
	for _, e := range list {
		if known[e.Name()] {
			continue
		}
		from, to := filepath.Join(s.p.ControlDir(), e.Name()), filepath.Join(s.staged, e.Name())
		switch {
		case e.IsDir():
			err = os.CopyFS(to, os.DirFS(from))
		case e.Type().IsRegular():
			var data []byte
			if data, err = os.ReadFile(from); err == nil {
				err = s.Put(e.Name(), data)
			}
		}
		if err != nil {
			return err
		}
	}
	if err := s.stageIgnore(); err != nil {
		return err
	}
	if s.to.Format == DVC {
		if err := s.Put(filepath.Join("tmp", "btime"), nil); err != nil {
			return err
		}
	}
	// What is known of files stays true: it names its algorithm.
	memo, err := os.ReadFile(filepath.Join(s.p.StateDir(), "memo"))
	if err != nil {
		return nil //nolint:nilerr // it only spares work
	}
	return atomicfile.Write(filepath.Join(s.staged, s.state, "memo"), memo, atomicfile.Options{})
}

// stageMoves plans the move of what cannot be made again in the control directory:
// the cache, also one that is no longer in use, and DVC's experiments.
func (s *Switch) stageMoves() error {
	for _, name := range []string{"cache", "tmp/exps"} {
		if exists(filepath.Join(s.p.ControlDir(), filepath.FromSlash(name))) {
			s.journal.Moves = append(s.journal.Moves, name)
		}
	}
	rel, inside := relativeTo(s.p.ControlDir(), s.p.CacheDir())
	if !inside {
		return nil
	}
	if e := s.p.Config.Origin("cache", "dir"); e != nil && absolute(expandHome(e.Raw)) {
		return &ConfigError{File: e.File, Line: e.Line, Msg: fmt.Sprintf(
			"cache.dir = %s names a place in '%s', which a conversion moves, by its absolute path; make it relative", e.Raw, s.p.ControlDir())}
	}
	if !slices.Contains(s.journal.Moves, rel) {
		s.journal.Moves = append(s.journal.Moves, rel)
	}
	return nil
}

func (s *Switch) stageIgnore() error {
	text := controlIgnore(s.to.Format)
	old, err := os.ReadFile(filepath.Join(s.p.ControlDir(), gitIgnoreName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	usual := strings.Fields(controlIgnore(s.p.Format) + text + " *")
	for line := range strings.Lines(string(old)) {
		if !slices.Contains(usual, strings.TrimSpace(line)) {
			text += strings.TrimSuffix(line, "\n") + "\n"
		}
	}
	return s.Put(gitIgnoreName, []byte(text))
}

// SelfIgnored reports whether the control directory is one that nobody has asked
// for and Git is told nothing of.
func (p *Project) SelfIgnored() bool {
	data, err := os.ReadFile(filepath.Join(p.ControlDir(), gitIgnoreName))
	return err == nil && strings.TrimSpace(string(data)) == "*"
}

// IgnoreSelf makes the new control directory one as SelfIgnored tells.
func (s *Switch) IgnoreSelf() error { return s.Put(gitIgnoreName, []byte("*\n")) }

// stageConfig takes over the settings of the project and of this copy. The
// section of flow's own settings has a file of its own in DVC's format.
func (s *Switch) stageConfig() error {
	for _, level := range []Level{SystemLevel, GlobalLevel} {
		if file := s.p.Config.levels[level]; file != nil && len(file.entries) > 0 {
			s.notes = append(s.notes, fmt.Sprintf("the settings in '%s' hold for projects in the %s format only", file.path, s.p.Format))
		}
	}
	main, local := s.p.Config.levels[ProjectLevel].ini, s.p.Config.levels[LocalLevel].ini
	var own []byte
	var err error
	if s.to.Format == DVC {
		if main, own, err = cutFlow(main, nil); err != nil {
			return err
		}
		var merged []byte
		if local, merged, err = cutFlow(local, own); err != nil {
			return err
		}
		if string(merged) != string(own) {
			s.notes = append(s.notes, "the settings of flow in 'config.local' are in 'flow.config' now, which others see when it is committed")
			own = merged
		}
		if _, ok := s.p.Git(); !ok {
			data, err := main.set(sectionName{top: "core"}, "no_scm", "True")
			if err == nil {
				main, err = parseINI(data)
			}
			if err != nil {
				return err
			}
		}
	} else if file := s.p.Config.levels[FlowLevel]; file != nil && len(file.ini.data) > 0 {
		at := len(main.data)
		for _, sec := range main.root.sections {
			if parseSectionName(sec.name).named {
				at = main.aboveComments(sec.start)
				break
			}
		}
		text := strings.TrimRight(string(file.ini.data), "\n") + "\n"
		if main, err = parseINI(main.insertAt(at, text)); err != nil {
			return err
		}
	}
	files := map[string][]byte{"config": main.data}
	if len(local.data) > 0 {
		files["config.local"] = local.data
	}
	if len(own) > 0 {
		files["flow.config"] = own
	}
	for name, data := range files {
		if err := s.Put(name, data); err != nil {
			return err
		}
	}
	if info, err := os.Stat(s.p.Config.File(LocalLevel)); err == nil && files["config.local"] != nil {
		// It may hold secrets.
		if err := os.Chmod(filepath.Join(s.staged, "config.local"), info.Mode().Perm()); err != nil {
			return err
		}
	}
	if _, err := LoadConfig(s.to.Format, s.staged); err != nil {
		return err
	}
	if s.to.Format != DVC {
		return nil
	}
	if err := os.Rename(filepath.Join(s.staged, "config"), filepath.Join(s.switchDir(), "config")); err != nil {
		return err
	}
	return s.Put("config", []byte(unfinishedConfig))
}

// cutFlow takes the section of flow's settings out of a file. into has those of
// the levels below, which they win over; the result is both.
func cutFlow(f *iniFile, into []byte) (rest *iniFile, own []byte, err error) {
	sec := f.find(flowSection)
	if sec == nil {
		return f, into, nil
	}
	data, _ := f.removeSection(flowSection)
	if len(into) == 0 {
		own = slices.Clone(f.data[f.aboveComments(sec.start):sec.end])
	} else {
		own = into
		for _, e := range sec.entries {
			target, err := parseINI(own)
			if err != nil {
				return nil, nil, err
			}
			text, ok := e.value.(string)
			if list, isList := e.value.([]string); isList {
				text, ok = strings.Join(list, ","), true
			}
			if !ok {
				continue
			}
			if own, err = target.set(flowSection, strings.ToLower(e.key), text); err != nil {
				return nil, nil, err
			}
		}
	}
	rest, err = parseINI(data)
	return rest, own, err
}

func sleepBriefly() error { return sleep(context.Background(), lockDelay/10) }
