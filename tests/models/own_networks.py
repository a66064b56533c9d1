"""Model directories in the older form, written into a folder for the tests."""

from pathlib import Path

NETWORK = """
import torch
from torch import nn

from shared_constants import SCALE  # lies beside this file


class PassGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5, stride=4)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(6, 8, 3, stride=2)
        self.fc = nn.Linear(8, 5)

    def forward(self, x, with_latent=False, fake_relu=False, no_relu=False):
        all_outputs = {"input_after_preproc": x}
        x = self.conv1(x)
        if fake_relu:
            all_outputs["layer1_fake_relu"] = PassGradient.apply(x)
        x = self.relu(x)
        all_outputs["layer1"] = x
        x = torch.relu(self.conv2(x))
        all_outputs["layer2.out"] = x
        all_outputs["pair"] = [x, x * 2]
        latent = x.mean((2, 3))
        final = self.fc(latent)
        all_outputs["heads"] = {"a": final, "b": None}
        all_outputs["final"] = final
        return (final, latent, all_outputs) if with_latent else final


class Attacker(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor([0.5, 0.5, 0.5])[:, None, None])

    def forward(self, inp, target=None, make_adv=False, with_latent=False, fake_relu=False, no_relu=False):
        x = (inp.clamp(0, 1) - self.mean) / 0.25 * SCALE
        return self.model(x, with_latent=with_latent, fake_relu=fake_relu, no_relu=no_relu), inp
"""

PICTURES = """

class Data:
    min_value, max_value, num_classes = 0, 1, 5
    label_mapping = {i: f"class {i}" for i in range(5)}

    def transform_test(self, picture):
        import numpy as np

        return torch.tensor(np.asarray(picture.resize((64, 64)))).permute(2, 0, 1) / 255

    def make_loaders(self, workers, batch_size, subset=None, subset_start=0, subset_type="rand", shuffle_train=True,
                     data_aug=True):
        count = 12 if subset is None else subset
        pictures = torch.arange(20.0)[subset_start:subset_start + count, None, None, None].expand(-1, 3, 64, 64) / 20
        data = torch.utils.data.TensorDataset(pictures, torch.zeros(len(pictures)))
        return torch.utils.data.DataLoader(data, batch_size, shuffle=shuffle_train), None


def main(return_metamer_layers=False, ds_kwargs={}):
    model = Attacker(Net())
    model.cuda()
    model.eval()
    layers = ["input_after_preproc", "layer1_fake_relu", "layer2.out", "final"]
    return (model, Data(), layers) if return_metamer_layers else (model, Data())
"""

SOUNDS = """
import torch
from torch import nn

ASKED = {}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 4, 64, stride=32)
        self.heads = nn.ModuleDict({"signal/speaker_int": nn.Linear(4, 3), "signal/word_int": nn.Linear(4, 5)})

    def forward(self, x, with_latent=False, fake_relu=False):
        assert x.ndim == 3 and x.shape[1] == 1
        all_outputs = {"relu0": torch.relu(self.conv(x))}
        final = {task: head(all_outputs["relu0"].mean(2)) for task, head in self.heads.items()}
        all_outputs["final"] = final
        return (final, None, all_outputs) if with_latent else final


class Data:
    min_value, max_value, SR = -1, 1, 4000
    label_mapping = {0: "__nullSignal__", 1: "ability", 2: "able", 3: "about", 4: "above"}

    def transform_test(self, foreground, background):
        assert background is None
        sound = torch.tensor(foreground)
        return (sound / sound.square().mean().sqrt() * 0.1)[None], background

    def make_loaders(self, workers, batch_size):
        data = torch.utils.data.TensorDataset(torch.zeros(6, 1, 8000), torch.zeros(6))
        return torch.utils.data.DataLoader(data, batch_size), None


def main(include_rep_in_model=True, return_metamer_layers=False, include_identity_sequential=True, strict=False):
    ASKED.update(identity=include_identity_sequential, strict=strict)
    return Net(), Data(), ["relu0", "final"]
"""


def write_directory(folder: Path, text: str = NETWORK + PICTURES) -> Path:
    """A model directory; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "build_network.py").write_text(text)
    (folder / "shared_constants.py").write_text("SCALE = 1.0\n")
    return folder
