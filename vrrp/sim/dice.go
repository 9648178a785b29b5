package sim

// dice are decisions that depend on what is decided and on nothing that
// happened before: a scenario from which a fault is taken away goes on as
// before. The function is SplitMix64.
type dice uint64

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// of is a throw for a thing named by numbers.
func (d dice) of(what ...uint64) dice {
	x := uint64(d)
	for _, n := range what {
		x = mix(x ^ n)
	}
	return dice(x)
}

// below is a number from 0 to n-1.
func (d dice) below(n int) int {
	if n <= 0 {
		return 0
	}
	return int(uint64(d) % uint64(n))
}
