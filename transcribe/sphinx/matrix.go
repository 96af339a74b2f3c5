package sphinx

import "math"

// matrix is row by row. Those here are small: at most 25 by 25.
type matrix [][]float64

func zeros(rows, cols int) matrix {
	m := make(matrix, rows)
	for i := range m {
		m[i] = make([]float64, cols)
	}
	return m
}

func (m matrix) times(o matrix) matrix {
	out := zeros(len(m), len(o[0]))
	for i, row := range m {
		for k, x := range row {
			for j, y := range o[k] {
				out[i][j] += x * y
			}
		}
	}
	return out
}

func (m matrix) turned() matrix {
	out := zeros(len(m[0]), len(m))
	for i, row := range m {
		for j, x := range row {
			out[j][i] = x
		}
	}
	return out
}

// eigen gives the eigenvalues of a symmetric matrix and its eigenvectors as
// columns, by Jacobi's rotations.
func (m matrix) eigen() (values []float64, vectors matrix) {
	n := len(m)
	a, v := zeros(n, n), zeros(n, n)
	for i := range n {
		copy(a[i], m[i])
		v[i][i] = 1
	}
	for range 60 {
		off := 0.0
		for p := range n {
			for q := p + 1; q < n; q++ {
				off += a[p][q] * a[p][q]
				rotate(a, v, p, q)
			}
		}
		if off < 1e-18 {
			break
		}
	}
	values = make([]float64, n)
	for i := range n {
		values[i] = a[i][i]
	}
	return values, v
}

func rotate(a, v matrix, p, q int) {
	if math.Abs(a[p][q]) < 1e-15 {
		return
	}
	sin, cos := math.Sincos(math.Atan2(2*a[p][q], a[q][q]-a[p][p]) / 2)
	for k := range a {
		a[k][p], a[k][q] = cos*a[k][p]-sin*a[k][q], sin*a[k][p]+cos*a[k][q]
	}
	for k := range a {
		a[p][k], a[q][k] = cos*a[p][k]-sin*a[q][k], sin*a[p][k]+cos*a[q][k]
	}
	for k := range v {
		v[k][p], v[k][q] = cos*v[k][p]-sin*v[k][q], sin*v[k][p]+cos*v[k][q]
	}
}
