package graph
import ("testing";"os";"os/exec";"encoding/json";"math/rand";"fmt";"bytes")
func TestZZ(t *testing.T){
	type cs struct{N []string `json:"n"`; E [][2]string `json:"e"`}
	var all []cs; var mine []string
	for seed:=range 600 {
		r:=rand.New(rand.NewSource(int64(seed)))
		n:=2+r.Intn(9)
		v:=&View{}
		for i:=range n { v.Nodes=append(v.Nodes, fmt.Sprintf("%c%s", 'a'+i, "xxxxxxxxxxxxxxxxxxxx"[:r.Intn(14)])) }
		for i:=range n { v.Of=append(v.Of,i) }
		perm:=r.Perm(n)
		for i:=0;i<n;i++ { for j:=range n { if perm[j]<perm[i] && r.Float64()<0.35 { v.Edges=append(v.Edges,[2]int{j,i}) } } }
		if len(v.parts())!=1 {continue}
		c:=cs{N:v.Nodes}
		for _,e:=range v.Edges { c.E=append(c.E,[2]string{v.Nodes[e[1]],v.Nodes[e[0]]}) }
		all=append(all,c); mine=append(mine,v.ASCII())
	}
	data,_:=json.Marshal(all)
	cmd:=exec.Command("/tmp/peers/dvcenv/bin/python","/tmp/e/dvcdag.py"); cmd.Stdin=bytes.NewReader(data); cmd.Stderr=os.Stderr
	out,err:=cmd.Output(); if err!=nil {t.Fatal(err)}
	var res [][]string; json.Unmarshal(out,&res)
	ok,amb,bad:=0,0,0
	for i:=range all {
		m:=mine[i][:len(mine[i])-1]; if res[i][0]==m { ok++; if len(res[i])>2 {amb++} } else { bad++; if bad<4 { fmt.Println(all[i].E, len(res[i])); fmt.Print(res[i][0]+"\n---\n"+mine[i]) } }
	}
	fmt.Println(len(all), ok, "ambiguous", amb, "bad", bad)
}
