package engine

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// keyVersion salts every key. Changing what describe writes means changing it,
// and saying in the changelog that everything runs once more.
const keyVersion = "flow-1"

// describe lists everything that a stage's result depends on, field by field.
// It is the only description there is: the key is the hash of these fields and
// the record beside a result holds them, so that explaining a decision compares
// what was really hashed.
//
// Not in it, on purpose: the stage's name and file, absolute paths, user, host,
// job count, descriptions and other annotations, frozen and always_changed
// (they change whether a stage is decided, not what it makes), push and remote.
func describe(n *node, s *snapshot) []cache.Field {
	var f []cache.Field
	add := func(name, value string) { f = append(f, cache.Field{Name: name, Value: value}) }
	if n.goRef != nil {
		add("stage", n.goRef.name)
		add("version", n.goRef.stage.Version)
		for i, a := range n.goRef.args {
			add("arg:"+strconv.Itoa(i), a)
		}
	} else {
		for i, l := range n.Cmd.Lines {
			add("cmd:"+strconv.Itoa(i), l)
		}
	}
	add("wdir", n.Wdir)

	deps := make([]int, len(n.Deps))
	for i := range deps {
		deps[i] = i
	}
	sort.SliceStable(deps, func(a, b int) bool { return n.Deps[deps[a]].Path < n.Deps[deps[b]].Path })
	for _, i := range deps {
		value := s.deps[i].entry.Digest.String()
		if s.deps[i].entry.Exec {
			value += " exec"
		}
		add("dep:"+n.Deps[i].Path, value)
	}
	for _, p := range lockParams(s.params) {
		for _, it := range p.Values.Items {
			add("param:"+p.Path+":"+fmt.Sprint(it.Key), typedText(it.Value))
		}
	}
	for _, v := range s.env {
		add("env:"+v.name, v.value)
	}
	outs := append([]int(nil), make([]int, len(n.Outs))...)
	for i := range outs {
		outs[i] = i
	}
	sort.SliceStable(outs, func(a, b int) bool { return n.Outs[outs[a]].Path < n.Outs[outs[b]].Path })
	for _, i := range outs {
		o := n.Outs[i]
		kind := "cached"
		if !o.Cache {
			kind = "uncached"
		}
		if o.Persist {
			kind += " persist"
		}
		add("out:"+o.Path, kind)
	}
	return f
}

// typedText writes a value so that different types never look alike: strings
// are quoted, floats have a point or an exponent, integers have none.
func typedText(v any) string { return string(python.JSON(v)) }

// key identifies the computation of the stage on these inputs.
func key(n *node, s *snapshot) (cache.Key, []cache.Field) {
	f := describe(n, s)
	return cache.KeyOf(keyVersion, f), f
}

// environment returns the values of the variables that the stage declares to
// depend on: `meta: {flow: {env: [NAME, …]}}`, a place DVC leaves to the user.
// In place of a value stands its fingerprint, because values may be secret and
// records may be shared; what is empty or unset shows as that.
func environment(n *node) []envState {
	var list []envState
	for _, name := range declaredEnv(n.Meta) {
		list = append(list, envState{name, fingerprint(name, os.Getenv(name))})
	}
	return list
}

// fingerprint tells values of a variable apart without containing them. It does
// not keep one secret that can be guessed.
func fingerprint(name, value string) string {
	if value == "" {
		return ""
	}
	const size = 16
	w := cache.BLAKE3.New()
	_, _ = io.WriteString(w, "flow environment\x00"+name+"\x00"+value) // never fails
	return "blake3:" + hex.EncodeToString(w.Sum(nil)[:size])
}

func declaredEnv(meta any) []string {
	for _, k := range []string{"flow", "env"} {
		m, ok := meta.(*yaml12.Map)
		if !ok {
			return nil
		}
		meta, _ = m.Get(k)
	}
	list, _ := meta.([]any)
	var names []string
	for _, v := range list {
		if s, ok := v.(string); ok && s != "" && !strings.ContainsRune(s, '=') {
			names = append(names, s)
		}
	}
	sort.Strings(names)
	return names
}
