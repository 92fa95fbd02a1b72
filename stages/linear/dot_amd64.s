#include "textflag.h"

// func dotLanes(at []int32, vals, w []float64) (sum float64, ok bool)
//
// X0 has the sums a and b of dotGo, X1 c and d. Indices are compared without a
// sign, so that one below 0 is too large.
TEXT ·dotLanes(SB), NOSPLIT, $0-81
	MOVQ at_base+0(FP), SI
	MOVQ at_len+8(FP), CX
	MOVQ vals_base+24(FP), DI
	MOVQ w_base+48(FP), BX
	MOVQ w_len+56(FP), AX
	XORPS X0, X0
	XORPS X1, X1
	MOVQ CX, DX
	ANDQ $3, DX
	SHRQ $2, CX
	JZ   tail

four:
	MOVLQSX 0(SI), R8
	MOVLQSX 4(SI), R9
	MOVLQSX 8(SI), R10
	MOVLQSX 12(SI), R11
	CMPQ    R8, AX
	JCC     outside
	CMPQ    R9, AX
	JCC     outside
	CMPQ    R10, AX
	JCC     outside
	CMPQ    R11, AX
	JCC     outside
	MOVSD   (BX)(R8*8), X2
	MOVHPD  (BX)(R9*8), X2
	MOVSD   (BX)(R10*8), X3
	MOVHPD  (BX)(R11*8), X3
	MOVUPD  0(DI), X4
	MOVUPD  16(DI), X5
	MULPD   X4, X2
	MULPD   X5, X3
	ADDPD   X2, X0
	ADDPD   X3, X1
	ADDQ    $16, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     four

tail:
	TESTQ DX, DX
	JZ    done

one:
	MOVLQSX 0(SI), R8
	CMPQ    R8, AX
	JCC     outside
	MOVSD   (BX)(R8*8), X2
	MULSD   0(DI), X2
	ADDSD   X2, X0
	ADDQ    $4, SI
	ADDQ    $8, DI
	DECQ    DX
	JNZ     one

done:
	MOVAPD   X0, X2
	UNPCKHPD X2, X2
	ADDSD    X2, X0
	MOVAPD   X1, X3
	UNPCKHPD X3, X3
	ADDSD    X3, X1
	ADDSD    X1, X0
	MOVSD    X0, sum+72(FP)
	MOVB     $1, ok+80(FP)
	RET

outside:
	MOVQ $0, sum+72(FP)
	MOVB $0, ok+80(FP)
	RET
