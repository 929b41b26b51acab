package localcluster

// Part is some of the processes of a node.
type Part struct{ match []string }

// Kill ends them at once by SIGKILL.
func (p Part) Kill() error { return killAll(p.match...) }

// Freeze stops them where they are.
func (p Part) Freeze() error { return freeze(p.match...) }

// Thaw lets them go on.
func (p Part) Thaw() error { return thaw(p.match...) }
