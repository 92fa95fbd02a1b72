// Package plots makes plots of rows of data: from the definitions in a
// pipeline file and the content of data files to rows, Vega-Lite
// specifications, figures, and one page of HTML.
//
// [Parse] reads rows from CSV, TSV, JSON, YAML and TOML as DVC does.
// A [Definition] says what is plotted; [Build] joins it with the data of one or
// more revisions to a [Plot]. [Plot.Spec] is for tools that draw Vega-Lite,
// [Plot.Figures] for people without them, [WritePage] for browsers: the page
// needs nothing from outside and has no scripts.
//
// The package is pure: it reads and writes no files.
package plots
