package codec

type g722Decoder struct{}
type g722Encoder struct{}

func (g *g722Decoder) init()                              {}
func (g *g722Encoder) init()                              {}
func (g *g722Decoder) decode(dst []int16, payload []byte) {}
func (g *g722Encoder) encode(dst []byte, pcm []int16)     {}
