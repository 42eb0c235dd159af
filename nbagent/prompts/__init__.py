"""What goes to a model as text: templates, attachments, instructions, values rendered."""
