// Shows a picture of the project's folder with the class ids of its faces painted over it.
using ForgeRt;
using Godot;

public unsafe partial class FaceOverlay : TextureRect
{
    [Export] public string Bundle = "faces-mini.forge";
    [Export] public string Picture = "portrait.png";
    [Export(PropertyHint.Range, "0,1")] public float Opacity = 0.45f;

    FaceAnalyzer analyzer;
    FaceResult faces;

    public override void _Ready()
    {
        analyzer = new FaceAnalyzer(OnDisk(Bundle));
        faces = new FaceResult();
        Image image = Image.LoadFromFile(OnDisk(Picture));
        image.Convert(Image.Format.Rgba8);
        Texture = ImageTexture.CreateFromImage(Painted(image));
    }

    /// forge_rt opens files by path, and an exported game has none for res://: there, the files lie in user:// or beside the program.
    static string OnDisk(string name)
    {
        if (OS.HasFeature("editor")) return ProjectSettings.GlobalizePath("res://" + name);
        string own = ProjectSettings.GlobalizePath("user://" + name);
        bool there = Godot.FileAccess.FileExists("user://" + name) || DirAccess.DirExistsAbsolute(own); // a bundle may be a folder
        return there ? own : OS.GetExecutablePath().GetBaseDir().PathJoin(name);
    }

    Image Painted(Image image)
    {
        byte[] pixels = image.GetData(); // row 0 on top, as forge_rt has it
        int width = image.GetWidth(), height = image.GetHeight();
        fixed (byte* data = pixels) analyzer.Analyze(data, width, height, PixelFormat.Rgba, faces);
        byte* ids = faces.Mask(out _, out _);
        for (int i = 0; i < width * height; ++i)
        {
            if (ids[i] == 0) continue;
            ForgeRt.Label label = analyzer.Labels[ids[i]];
            pixels[4 * i] = Mixed(pixels[4 * i], label.Red);
            pixels[4 * i + 1] = Mixed(pixels[4 * i + 1], label.Green);
            pixels[4 * i + 2] = Mixed(pixels[4 * i + 2], label.Blue);
        }
        GD.Print($"{faces.Count} faces in {faces.Milliseconds:F1} ms, {analyzer.Precision} on {analyzer.Provider}");
        return Image.CreateFromData(width, height, false, Image.Format.Rgba8, pixels);
    }

    byte Mixed(byte under, byte over) => (byte)(under + Opacity * (over - under));

    public override void _ExitTree()
    {
        faces?.Dispose();
        analyzer?.Dispose();
    }
}
