//go:build ignore

// Command wordnet makes WordNet's word lists in this directory from the files of WordNet 3.0:
//
//	go run lists/wordnet.go /usr/share/wordnet
//
// where Debian's package wordnet-base puts them. A list holds the words of an
// index file; those of several words, which are written with underscores, only
// where an exception leads to them. A list of exceptions holds the lines of an
// .exc file, but for forms of several words. Both are sorted by their bytes,
// because they are searched by bisection.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

var parts = []struct{ wordnet, words, exceptions string }{
	{"noun", "nouns.txt", "noun_exceptions.txt"},
	{"verb", "verbs.txt", "verb_exceptions.txt"},
	{"adj", "adjectives.txt", "adjective_exceptions.txt"},
	{"adv", "adverbs.txt", "adverb_exceptions.txt"},
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run lists/wordnet.go DIRECTORY")
		os.Exit(2)
	}
	for _, p := range parts {
		if err := convert(os.Args[1], p.wordnet, p.words, p.exceptions); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func convert(dir, part, words, exceptions string) error {
	lines, err := read(filepath.Join(dir, part+".exc"))
	if err != nil {
		return err
	}
	// Where a form has several lines, NLTK goes by the last one.
	lemmas := map[string]string{}
	wanted := map[string]bool{}
	for _, l := range lines {
		form, others, _ := strings.Cut(strings.TrimSpace(l), " ")
		if strings.Contains(form, "_") {
			continue
		}
		lemmas[form] = others
		for _, o := range strings.Fields(others) {
			wanted[o] = true
		}
	}
	if lines, err = read(filepath.Join(dir, "index."+part)); err != nil {
		return err
	}
	list := map[string]string{}
	for _, l := range lines {
		word, _, _ := strings.Cut(l, " ")
		if word != "" && (!strings.Contains(word, "_") || wanted[word]) {
			list[word] = ""
		}
	}
	if err := write(words, list); err != nil {
		return err
	}
	return write(exceptions, lemmas)
}

func read(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"), nil
}

// write writes the keys in order, each with its value behind a space.
func write(name string, list map[string]string) error {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(list)) {
		b.WriteString(k)
		if v := list[k]; v != "" {
			b.WriteString(" " + v)
		}
		b.WriteByte('\n')
	}
	return os.WriteFile(filepath.Join("lists", name), []byte(b.String()), 0o644)
}
