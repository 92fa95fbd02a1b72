package graph
import ("testing";"os";"fmt")
func TestZY(t *testing.T){
	mk:=func(n ...Node)*Graph{g,err:=New(n); if err!=nil{t.Fatal(err)}; return g}
	g:=mk(
		Node{Name:"fetch",Outs:[]string{"raw"}},
		Node{Name:"prepare",Deps:[]string{"raw"},Outs:[]string{"prep"}},
		Node{Name:"featurize",Deps:[]string{"prep"},Outs:[]string{"feat"}},
		Node{Name:"split@a",Deps:[]string{"prep"},Outs:[]string{"sa"}},
		Node{Name:"split@b",Deps:[]string{"prep"},Outs:[]string{"sb"}},
		Node{Name:"train",Deps:[]string{"feat","sa","sb"},Outs:[]string{"model"}},
		Node{Name:"evaluate",Deps:[]string{"model","feat","prep"},Outs:[]string{"m"}},
		Node{Name:"publish",Deps:[]string{"m","model"}},
		Node{Name:"data/big.csv.dvc",Outs:[]string{"data/big.csv"}},
		Node{Name:"<stats> & \"more\"",Deps:[]string{"data"},Outs:[]string{"st"}},
		Node{Name:"lone.dvc",Outs:[]string{"lone"}},
	)
	v:=g.View(ViewOptions{})
	v.State=[]State{Frozen,Fresh,Fresh,Fresh,Stale,Stale,Failed,Unknown,Fresh,Stale,Unknown}
	os.WriteFile("/tmp/e/a.svg",[]byte(v.SVG()),0o644)
	fmt.Print(v.ANSI())
	var ns []Node
	for i:=range 30 { ns=append(ns,Node{Name:fmt.Sprintf("stage_%d",i),Outs:[]string{fmt.Sprintf("o%d",i)}}); if i>0 { ns[i].Deps=[]string{fmt.Sprintf("o%d",(i*7)%i), fmt.Sprintf("o%d",i/2)} } }
	os.WriteFile("/tmp/e/b.svg",[]byte(mk(ns...).View(ViewOptions{}).SVG()),0o644)
}
