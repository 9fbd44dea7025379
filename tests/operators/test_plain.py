"""An operator without a singular value decomposition needs A and its adjoint, no more."""

import torch

from deqir_lite.operators import FFTBlur, Grayscale, LinearOperator, motion_kernel


class GreyAfterBlur(LinearOperator):
    _channels = 1

    def __init__(self):
        self.blur, self.grey = FFTBlur(motion_kernel(3, 30)), Grayscale()

    def _A(self, x):
        return self.grey.A(self.blur.A(x))

    def _adjoint(self, y):
        return self.blur.adjoint(self.grey.adjoint(y))


def test_the_rest_follows(dense):
    operator, size = GreyAfterBlur(), (6, 4)
    a = torch.from_numpy(dense(operator.A, (3, *size)))
    pinv = torch.linalg.pinv(a, rtol=1e-8)
    y = torch.randn(3, *operator.measurement_shape(size), dtype=torch.float64)
    x = torch.randn(3, 3, *size, dtype=torch.float64)
    torch.testing.assert_close(operator.pinv(y).flatten(1), y.flatten(1) @ pinv.T)
    projected = operator.range_projector(x).flatten(1)
    torch.testing.assert_close(projected, x.flatten(1) @ (pinv @ a).T)
    alone = torch.cat([operator.pinv(image[None]) for image in y])
    torch.testing.assert_close(operator.pinv(y), alone, rtol=0, atol=1e-12)


def test_the_pseudo_inverse_can_be_differentiated():
    operator = GreyAfterBlur()
    y = torch.randn(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(operator.pinv, y)
