"""Muon for matrices (also convolutions, seen as matrices), AdamW for the rest, and a running mean of the weights."""

import collections

import torch


def orthogonalise(stack):
    """[n, rows, columns] -> its nearest half-orthogonal matrices, about, by five Newton-Schulz steps in bf16"""
    x = stack.bfloat16()
    flipped = x.shape[1] > x.shape[2]
    if flipped:
        x = x.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.mT if flipped else x


class Muon(torch.optim.Optimizer):
    def __init__(self, groups, momentum=0.95, weight_decay=0.01):
        super().__init__(groups, {"momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = collections.defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes[parameter.flatten(1).shape].append(parameter)
            for shape, parameters in shapes.items():
                gradients = torch.stack([p.grad.flatten(1) for p in parameters]).float()
                state = self.state[parameters[0]]
                if "mean" not in state:
                    state["mean"] = torch.zeros_like(gradients)
                state["mean"].lerp_(gradients, 1 - group["momentum"])
                update = orthogonalise(gradients.lerp(state["mean"], group["momentum"])).float()
                update = update * (group["lr"] * 0.2 * max(shape) ** 0.5)
                torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_sub_(parameters, [change.view_as(p) for change, p in zip(update, parameters)])


class Optimiser:
    """groups: list of (module, Muon's rate, AdamW's rate). On a GPU the rates lie there, so that a step can be recorded."""

    def __init__(self, groups, weight_decay=0.01, fused=True):
        matrices, rest = [], []

        def rates(base):
            return {"lr": torch.tensor(base, device="cuda") if fused else base, "base": base}
        for module, matrix_rate, rate in groups:
            named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
            inner = [p for name, p in named if self.is_matrix(name, p)]
            outer = [p for name, p in named if not self.is_matrix(name, p)]
            if inner:
                matrices.append({"params": inner, **rates(matrix_rate)})
            if outer:
                rest.append({"params": outer, **rates(rate)})
        self.parts = [torch.optim.AdamW(rest, betas=(0.9, 0.98), weight_decay=weight_decay, fused=fused,
                                        capturable=fused)]
        if matrices:
            self.parts.append(Muon(matrices, weight_decay=weight_decay))
        self.parameters = [p for part in self.parts for group in part.param_groups for p in group["params"]]

    @staticmethod
    def is_matrix(name, parameter):
        outside = ("embed", "pad_token", "conv_in", "conv_out", "all_final_layer", "adaLN", "head", "t_embedder")
        return parameter.dim() >= 2 and not any(part in name for part in outside)

    def set_rates(self, factor):
        """Scales all rates from here on."""
        for part in self.parts:
            for group in part.param_groups:
                if torch.is_tensor(group["lr"]):
                    group["lr"].fill_(group["base"] * factor)
                else:
                    group["lr"] = group["base"] * factor

    def step(self):
        torch.nn.utils.clip_grad_norm_([p for p in self.parameters if p.grad is not None], 1.0)
        for part in self.parts:
            part.step()
            part.zero_grad(set_to_none=True)


class Mean:
    """Exponential running mean of a module's parameters."""

    def __init__(self, module, decay=0.999):
        self.module, self.decay, self.steps = module, decay, 0
        self.values = [p.detach().clone() for p in module.parameters()]

    @torch.no_grad()
    def update(self):
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.values, list(self.module.parameters()), 1 - decay)

    @torch.no_grad()
    def swap(self):
        """Puts the mean in and the weights aside, or back."""
        for value, parameter in zip(self.values, self.module.parameters()):
            kept = parameter.detach().clone()
            parameter.copy_(value)
            value.copy_(kept)


def schedule(done, flat=0.4):
    """Factor of the learning rate where `done` of 1 is over: a short rise, constant, then down to zero."""
    return min(1.0, done / 0.01 + 0.01) * min(1.0, (1 - done) / (1 - flat))
